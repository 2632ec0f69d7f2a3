import Reactor
import Structures

/// Asks sentinels where the master is, and hears from them when it moves.
///
/// One connection asks, another is subscribed to `+switch-master`; each goes on to the next sentinel of the list whenever it must be opened again. An answer
/// is only a claim: the client asks the server itself (ROLE), and comes back when it denies.
final class SentinelDirectory: RedisLinkOwner {
  private static let switchMaster = Array("+switch-master".utf8)

  private let sentinels: [RedisServer]
  private let master: [UInt8]
  private weak var client: RedisClient?
  private var question: RedisLink?
  private var news: RedisLink?
  private var next = 0
  private var isWanted = false
  private var isAsked = false
  /// Answers that turned out to be of no use, since the last sentinel was left.
  private var denials = 0
  private let command: [UInt8]

  init(
    _ sentinels: [RedisServer], master: String, settings: RedisSettings, loop: EventLoop, scratch: RedisScratch,
    client: RedisClient
  ) throws(SystemError) {
    self.sentinels = sentinels
    self.master = Array(master.utf8)
    self.client = client
    var writer = RedisCommandWriter()
    writer.begin(3)
    writer.argument("SENTINEL")
    writer.argument("get-master-addr-by-name")
    let name = self.master
    writer.argument(name.span)
    command = writer.octets
    var greeting = RedisGreeting(
      user: settings.sentinelUser, password: settings.sentinelPassword, clientName: settings.clientName)
    question = try RedisLink(
      loop: loop, settings: settings, greeting: greeting, context: nil, scratch: scratch, owner: self)
    greeting.channels = [Self.switchMaster]
    news = try RedisLink(
      loop: loop, settings: settings, greeting: greeting, context: nil, scratch: scratch, owner: self)
  }

  func start() {
    question?.start()
    news?.start()
  }

  func stop() {
    question?.stop()
    news?.stop()
  }

  func flush() {
    question?.flush()
    news?.flush()
  }

  /// The client wants to know where the master is; its last connection was given up for `trouble`. ``RedisClient/master(is:)`` tells.
  func ask(distrusting trouble: RedisTrouble) {
    isWanted = true
    switch trouble {
    case .notMaster, .system, .noMaster: denials += 1
    default: break
    }
    // A sentinel that is cut off from the others keeps its belief.
    if denials >= 3 {
      denials = 0
      question?.masterMoved()
    }
    sendQuestion()
  }

  private func sendQuestion() {
    guard isWanted, !isAsked, let question else { return }
    let command = command
    isAsked = question.send(command.span, token: 1) == .accepted
  }

  // MARK: From the links

  func locate(for link: RedisLink) {
    guard !sentinels.isEmpty else { return link.located(nil) }
    next = (next + 1) % sentinels.count
    link.located(sentinels[next])
  }

  func link(_ link: RedisLink, reply: RedisReply, token: UInt64) {
    isAsked = false
    isWanted = false
    client?.master(is: Self.server(reply))
  }

  func link(_ link: RedisLink, failed token: UInt64) {
    isAsked = false
    sendQuestion()
  }

  func linkChanged(_ link: RedisLink) {
    guard link.machine.isServing else { return }
    // Who wasn't subscribed may have missed that the master moved.
    if link === news { isWanted = true }
    sendQuestion()
  }

  /// `mymaster 192.0.2.1 6379 192.0.2.2 6379`: the name, the old address, the new one.
  func link(_ link: RedisLink, published payload: [UInt8], channel: [UInt8]) {
    guard let end = payload.firstIndex(of: 0x20), payload[..<end] == master[...] else { return }
    client?.masterMoved()
  }

  private static func server(_ reply: RedisReply) -> RedisServer? {
    guard case .array(let parts?) = reply, parts.count == 2, case .bulk(let host?) = parts[0],
      case .bulk(let port?) = parts[1], let address = IPAddress(String(decoding: host, as: UTF8.self)),
      let number = UInt16(String(decoding: port, as: UTF8.self)), number > 0
    else { return nil }
    return .address(SocketAddress(address, port: number))
  }
}
