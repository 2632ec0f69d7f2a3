import Configuration
import Logging
import Reactor
import Structures
import TLSEngine
import Transport

/// Looks after revoked certificates in one worker: peers that come and that are there, and lists that grow old.
final class RevocationDesk: PeerAuthority, DeadlineOwner {
  /// How often it is looked how old the lists are.
  private static let interval = Duration.seconds(60)

  /// Shared by all contexts of the worker.
  let issuers = IssuerTable()
  private let transport: TransportLayer
  private let loop: EventLoop
  private let log: Logger
  /// One worker of the node writes what is the same for all.
  private let speaksForNode: Bool
  private var contexts: TLSContexts?
  private var deadline: DeadlineID?
  /// What was told of each list last, by file and issuer.
  private var told: [String: RevocationList.Age] = [:]

  init(transport: TransportLayer, slot: UInt16, loop: EventLoop, log: Logger) {
    self.transport = transport
    self.loop = loop
    self.log = log
    speaksForNode = slot == 0
    deadline = loop.addDeadline(self)
  }

  // MARK: Inputs

  /// These contexts are in force now: who came in under others and is revoked by their lists has to go.
  func adopt(_ contexts: TLSContexts) {
    self.contexts = contexts
    transport.endConnections { refusal(of: $0) }
    lookAtAges()
  }

  func refusal(of chain: PeerChain) -> TLSError? { contexts?.context(of: chain)?.revocation(of: chain) }

  func deadlinePassed(_: DeadlineID) { lookAtAges() }

  // MARK: Queries

  /// When the first of the lists expires, in seconds since 1970; 0 without any.
  var nextUpdate: Int64 { contexts?.lists.compactMap(\.nextUpdate).min() ?? 0 }

  // MARK: Ages

  private func lookAtAges() {
    let lists = contexts?.lists ?? []
    if let deadline, !lists.isEmpty { loop.schedule(deadline, at: loop.now + Self.interval) }
    guard speaksForNode else { return }
    let now = System.wallSeconds
    var seen: [String: RevocationList.Age] = [:]
    for list in lists {
      let key = "\(list.file) \(list.issuer)"
      let age = list.age(at: now)
      if seen.updateValue(age, forKey: key) == nil, told[key] != age { tell(list, age) }
    }
    told = seen
  }

  private func tell(_ list: RevocationList, _ age: RevocationList.Age) {
    let subject = "\(list.file): the CRL of \(list.issuer)"
    switch age {
    case .fresh: break
    case .ending(let days):
      let time = days == 0 ? "within a day" : "in \(days) \(days == 1 ? "day" : "days")"
      log.warning("\(subject) expires \(time): put the next one there")
    case .expired(let days):
      log.error("\(subject) has expired\(days == 0 ? "" : " \(days) days ago"): put the next one there")
    }
  }
}

extension TLSContexts {
  /// The context that has the profile of a peer now.
  func context(of chain: PeerChain) -> TLSContext? {
    chain.role == .server ? server[chain.profile] : client[chain.profile]
  }

  /// The lists of all profiles.
  var lists: [RevocationList] { (Array(server.values) + Array(client.values)).flatMap(\.lists) }
}
