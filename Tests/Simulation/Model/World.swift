import Structures

/// What the network and the location service are like in one run.
struct Conditions {
  /// Datagrams lost, of a hundred.
  var loss = 0
  /// Datagrams that arrive twice, of a hundred.
  var duplication = 0
  /// Messages that take up to 1.5 s longer, and so overtake one another on UDP, of a hundred.
  var lateness = 0
  /// How long a message takes, in milliseconds.
  var delay = 1...20
  /// How long the location service takes, in milliseconds.
  var location = 0...20
  /// How long what workers have for each other takes, in milliseconds; 0: it is there at once.
  var links = 0...0
}

/// One simulated world: a clock, what will happen, the network, the server and the phones. Everything follows from the seed.
package final class World {
  private(set) var now = Instant(nanoseconds: 1_000_000_000)
  private var queue = EventQueue()
  var random: SplitMix
  /// For what only several workers have, so that all else is the same with one.
  var linkRandom: SplitMix
  /// When the last thing on its way to each worker is there.
  var linkArrivals: [UInt16: Instant] = [:]
  /// How many workers the server has.
  let workerCount: Int
  /// Whether they may be killed.
  let isKilling: Bool
  /// What the phones got, when they got it; nil: it isn't written down.
  var heard: [String]?
  var conditions = Conditions()
  var connections: [FlowID: Connection] = [:]
  var connectionCount: UInt64 = 0
  var losses: [Int: Int] = [:]
  let witness = Witness()
  /// Set by ``init`` and never again.
  private(set) lazy var server = SimulatedServer(world: self, workers: workerCount)
  var phones: [Phone] = []
  private var lastNumber = 0
  /// Where each message is told of, to follow a run; nil: nowhere.
  let tracer: ((String) -> Void)?
  /// How the server is made worse than it is, to see that it is noticed.
  let sabotage: Sabotage?
  /// Whether nothing new is begun any more.
  var isEnding = false

  /// Unix seconds at the start.
  static let start: Int64 = 1_790_000_000

  /// A world with so many workers; nil: as the seed says, and then some of them are killed.
  init(seed: UInt64, workers: Int?, sabotage: Sabotage?, tracer: ((String) -> Void)?) {
    random = SplitMix(seed: seed)
    var linkRandom = SplitMix(seed: ~seed)
    workerCount = workers ?? [1, 1, 2, 3][Int(seed % 4)]
    isKilling = workers == nil && linkRandom.chance(60)
    if workers == nil {
      conditions.links = linkRandom.pick([0...0, 0...2, 0...50], otherwise: 0...0)
    } else {
      heard = []
    }
    self.linkRandom = linkRandom
    self.sabotage = sabotage
    self.tracer = tracer
  }

  /// Unix seconds now.
  var unixSeconds: Int64 { Self.start + now.nanoseconds / 1_000_000_000 }

  /// A number that was not used before, for tags, branches and Call-IDs.
  func number() -> Int {
    lastNumber += 1
    return lastNumber
  }

  func at(_ instant: Instant, _ run: @escaping () -> Void) { queue.add(at: max(now, instant), run) }
  func after(_ delay: Duration, _ run: @escaping () -> Void) { at(now + delay, run) }

  /// Lets everything happen until an instant.
  func run(until end: Instant) {
    while true {
      let deadline = server.nextDeadline
      let next = queue.next
      guard let first = [deadline, next].compactMap({ $0 }).min(), first <= end else { break }
      now = max(now, first)
      if let next, next <= now, let event = queue.take() {
        event()
      } else {
        server.deadlineReached()
      }
    }
    now = max(now, end)
  }

  /// Forgets what would happen later: closures hold the world, and it holds them.
  func close() { queue = EventQueue() }

  func trace(_ text: @autoclosure () -> String, _ packet: Packet? = nil) {
    guard let tracer else { return }
    let seconds = Double((now.nanoseconds - 1_000_000_000) / 1_000_000) / 1_000
    let message = packet.map { "\($0.start) | \($0.callID) \($0.value("CSeq")) \($0.branches) to \($0.toTag)" } ?? ""
    tracer("\(seconds) \(text())\(message)")
  }
}
