import SIPMessage
import Structures

/// A request that waits for what is asked of its sender, with what it takes to go on.
final class ParkedRequest {
  /// What was asked already.
  struct Asked: OptionSet {
    let rawValue: UInt8

    /// Who the user is.
    static let user = Asked(rawValue: 1)
    /// Whether the nonce belongs to the flow.
    static let claim = Asked(rawValue: 2)
  }

  /// The request; nil when it was answered meanwhile.
  var message: Message?
  /// Where it came from.
  let flow: Flow
  /// What its copies and its CANCEL are known by.
  let hash: UInt64
  /// Its length in octets.
  let length: Int
  /// `user@domain` of the user that is asked for; else empty.
  let user: [UInt8]
  /// The nonce that is being claimed.
  let nonce: Nonce?
  /// What it need not ask again.
  let asked: Asked

  init(_ message: Message, _ flow: Flow, hash: UInt64, user: [UInt8], nonce: Nonce?, asked: Asked) {
    self.message = message
    self.flow = flow
    self.hash = hash
    self.user = user
    self.nonce = nonce
    self.asked = asked
    length = message.bytes.count
  }
}

/// The requests that wait for what is asked of their senders. They have no transaction yet: their copies are dropped.
struct Parking {
  private var requests: [UInt64: ParkedRequest] = [:]
  /// The requests that wait for a claim which another one made, by the random word of the nonce.
  private var followers: [UInt64: [SlotHandle]] = [:]
  /// How many octets they have.
  private(set) var octets = 0

  /// Whether nothing waits.
  var isEmpty: Bool { requests.isEmpty }
  /// How many wait.
  var count: Int { requests.count }

  /// The one that waits under a hash.
  subscript(hash: UInt64) -> ParkedRequest? { requests[hash] }

  /// A request waits.
  mutating func insert(_ request: ParkedRequest) {
    requests[request.hash] = request
    octets += request.length
  }

  /// A request waits no more.
  mutating func remove(_ request: ParkedRequest) {
    guard requests[request.hash] === request else { return }
    requests[request.hash] = nil
    octets -= request.length
  }

  /// A query waits for the claim of a nonce that was made for another.
  mutating func follow(_ nonce: Nonce, _ query: SlotHandle) {
    followers[nonce.word, default: []].append(query)
  }

  /// Takes the queries that wait for the claim of a nonce.
  mutating func takeFollowers(of nonce: Nonce) -> [SlotHandle] {
    followers.removeValue(forKey: nonce.word) ?? []
  }
}
