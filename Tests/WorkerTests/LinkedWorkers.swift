import CLinux
import Cluster
import Configuration
import Glibc
import Reactor
import SIPServer
import Structures
import Testing
import Transport

@testable import Worker

/// A location that several workers of one process ask.
final class SharedLocation {
  var contents = InMemoryLocation(now: System.wallSeconds)

  /// One worker's way to it.
  final class Desk: LocationService {
    private let shared: SharedLocation
    private var waiting: [LocationAnswer] = []
    private(set) var goneFlows: [StreamFlow] = []
    private(set) var heard: [(UInt64, [UInt8])] = []
    var peers: (any LocationPeers)?
    /// What this worker says that it holds.
    var held: [UInt8] = []

    init(_ shared: SharedLocation) { self.shared = shared }

    var hasAnswers: Bool { !waiting.isEmpty }
    var bindingCount: Int { shared.contents.bindingCount }

    func ask(_ actions: borrowing ServerActions, at unixSeconds: Int64) {
      for question in actions.questions {
        switch question {
        case .lookup(let query, let range):
          let key = actions.keys.span.extracting(range)
          waiting.append(.bindings(query: query, shared.contents.lookup(aor: key, now: unixSeconds)))
        case .update(let query, let update):
          waiting.append(.outcome(query: query, shared.contents.update(update)))
        case .remove(let aor, let flow): _ = shared.contents.remove(aor: aor.span, flow: flow)
        case .claim, .noteClaim, .user: Issue.record("nobody is challenged here")
        }
      }
    }

    func takeAnswers() -> [LocationAnswer] {
      defer { waiting = [] }
      return waiting
    }

    func sweep(at unixSeconds: Int64) {}
    func flowGone(_ flow: StreamFlow) { goneFlows.append(flow) }
    func bindings(heldFor aor: Span<UInt8>, at _: Int64) -> [UInt8] { held }

    func peerAnswered(_ question: UInt64, _ octets: Span<UInt8>) {
      heard.append((question, (0..<octets.count).map { octets[$0] }))
    }
  }
}

/// The workers of a node in one process, each with its loop, and their listeners as a supervisor holds them.
final class LinkedWorkers {
  let directory: String
  let location = SharedLocation()
  private(set) var benches: [Bench?] = []
  private(set) var desks: [SharedLocation.Desk] = []
  private var listeners: [Int32] = []

  init(_ count: Int = 2, _ more: [(String, SettingNode)] = []) throws {
    var template = Array("/tmp/apus-workers-XXXXXX".utf8CString)
    directory = try template.withUnsafeMutableBufferPointer { text in
      let start = try #require(text.baseAddress)
      return String(cString: try #require(mkdtemp(start)))
    }
    for slot in 0..<count {
      let number = clinux_unix_listen("\(directory)/\(slot)", clinux_seqpacket, 0o600, 64)
      try #require(number >= 0)
      listeners.append(number)
      desks.append(SharedLocation.Desk(location))
      benches.append(nil)
    }
    for slot in 0..<count { try start(slot, more) }
    try #require(turn { self.isComplete })
  }

  deinit {
    benches = []
    for listener in listeners { close(listener) }
    for slot in listeners.indices { unlink("\(directory)/\(slot)") }
    rmdir(directory)
  }

  subscript(slot: Int) -> Bench {
    guard let bench = benches[slot] else { preconditionFailure("no worker in slot \(slot)") }
    return bench
  }

  /// Whether all that are there have their links.
  var isComplete: Bool { benches.allSatisfy { $0?.node.links?.isComplete ?? true } }

  /// A worker begins in a slot.
  func start(_ slot: Int, generation: UInt16 = 1, _ more: [(String, SettingNode)] = []) throws {
    let bench = try Bench(
      more, slot: UInt16(slot), slots: UInt16(listeners.count), generation: generation, linkDirectory: directory,
      location: desks[slot])
    try bench.node.startLinks(listener: Descriptor(owning: dup(listeners[slot])), limit: .zero)
    benches[slot] = bench
  }

  /// A worker dies: its sockets close without a word, and the others hear it from the supervisor.
  func kill(_ slot: Int) {
    guard let node = benches[slot]?.node else { return }
    let generation = node.transport.identity.generation
    node.links?.closeAll()
    benches[slot] = nil
    for bench in benches { bench?.node.obey(.slotEnded(UInt16(slot), generation: generation)) }
  }

  /// Turns all loops until `condition` holds; false when it doesn't within ten seconds.
  @discardableResult
  func turn(until condition: () -> Bool) -> Bool {
    let limit = System.monotonicNow + .seconds(10)
    while System.monotonicNow < limit {
      if condition() { return true }
      for bench in benches { try? bench?.loop.runOnce(until: System.monotonicNow + .milliseconds(1)) }
    }
    return condition()
  }

  /// Turns all loops for some time.
  func turn(for duration: Duration) {
    let end = System.monotonicNow + duration
    _ = turn { System.monotonicNow >= end }
  }

  /// Registers a phone at a worker; whether that was accepted.
  func register(_ phone: Phone) -> Bool {
    let count = phone.texts.count
    phone.send(
      "REGISTER", "sip:example.test", to: "sip:\(phone.name)@example.test",
      more: "Contact: <sip:\(phone.name)@\(phone.host)>\r\n")
    return turn {
      phone.receive()
      return phone.texts.count > count
    } && phone.texts.last?.hasPrefix("SIP/2.0 200 ") == true
  }

  /// Waits for a message that a phone got for which `condition` holds.
  func wait(_ phone: Phone, _ condition: (Phone) -> Bool) -> Bool {
    turn {
      phone.receive()
      return condition(phone)
    }
  }
}
