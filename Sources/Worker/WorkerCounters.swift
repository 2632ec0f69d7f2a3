import Cluster
import Configuration
import Reactor
import SIPServer
import Structures
import TLSEngine
import Transport

/// Writes what a worker counts into its page, about every 100 ms while it works, so that whoever reads it disturbs nobody.
final class WorkerCounters: DeadlineOwner {
  /// What is written, at one moment.
  struct Readings {
    let counted: Statistics
    let held: ServerCore.Holdings
    let io: TransportCounters
    let loop: LoopCounters
    let bindings: Int
    let location: LocationHealth
    let links: LinkCounters
    let peers: Int
    let orphaned: UInt64
    let revocation: RevocationDesk.Figures
    let daysLeft: UInt64
    let isKeyLogOn: Bool
  }

  /// Between two writings.
  static let interval = Duration.milliseconds(100)

  private let pages: SharedPages
  private let slot: Int
  private let loop: EventLoop
  private let read: () -> Readings
  private var readings: [(position: Int, value: (Readings) -> UInt64)] = []
  /// What processes before counted, by the place of the reading.
  private var base: [UInt64] = []
  private var deadline: DeadlineID?
  private var next: Instant
  private var isScheduled = false

  /// Takes the page of the slot over; `read` tells what stands there from now on.
  init(
    pages: SharedPages, slot: Int, generation: UInt16, counted: [UInt64] = [], loop: EventLoop,
    read: @escaping () -> Readings
  ) {
    self.pages = pages
    self.slot = slot
    self.loop = loop
    self.read = read
    next = loop.now
    for (name, value) in Self.sources() {
      if let position = CounterTable.position(of: name) { readings.append((position, value)) }
    }
    let isFollowing = pages.header(slot: slot) != nil
    base = readings.enumerated().map { index, reading in
      guard isFollowing, CounterTable.all[reading.position].kind == .counter else { return 0 }
      let before = pages.value(slot: slot, position: reading.position)
      let own = index < counted.count ? counted[index] : 0
      return before > own ? before - own : 0
    }
    let header = SharedPages.Header(
      generation: generation, process: System.processID, startedAt: System.wallMilliseconds)
    pages.begin(slot: slot, header)
    deadline = loop.addDeadline(self)
  }

  /// To be called in every turn: writes when it is time.
  func turn() {
    if loop.now >= next { return write() }
    guard !isScheduled, let deadline else { return }
    isScheduled = true
    loop.schedule(deadline, at: next)
  }

  /// The turn that it begins writes.
  func deadlinePassed(_: DeadlineID) { isScheduled = false }

  /// Writes for the last time, and returns what this process has counted, for when it goes on.
  func finish() -> [UInt64] {
    write()
    let now = read()
    return readings.map { $0.value(now) }
  }

  private func write() {
    next = loop.now + Self.interval
    let now = read()
    for (index, reading) in readings.enumerated() {
      pages.set(slot: slot, position: reading.position, base[index] &+ reading.value(now))
    }
  }

  /// Where each number of the table comes from.
  static func sources() -> [(name: String, value: (Readings) -> UInt64)] {
    var all = coreSources()
    all += transportSources()
    all += tlsSources()
    all += revocationSources()
    all += linkSources()
    all += loopSources()
    return all
  }

  private static func coreSources() -> [(name: String, value: (Readings) -> UInt64)] {
    [
      ("core.requests_received", { $0.counted.requestsReceived }),
      ("core.responses_received", { $0.counted.responsesReceived }),
      ("core.requests_forwarded", { $0.counted.requestsForwarded }),
      ("core.responses_forwarded", { $0.counted.responsesForwarded }),
      ("core.responses_1xx", { $0.counted.responsesMade[1] }), ("core.responses_2xx", { $0.counted.responsesMade[2] }),
      ("core.responses_3xx", { $0.counted.responsesMade[3] }), ("core.responses_4xx", { $0.counted.responsesMade[4] }),
      ("core.responses_5xx", { $0.counted.responsesMade[5] }), ("core.responses_6xx", { $0.counted.responsesMade[6] }),
      ("core.malformed", { $0.counted.malformed }), ("core.overloaded", { $0.counted.overloaded }),
      ("core.dropped", { $0.counted.dropped }), ("core.stray_responses", { $0.held.strayResponses }),
      ("registrar.accepted", { $0.counted.registrationsAccepted }),
      ("registrar.refused", { $0.counted.registrationsRefused }),
      ("auth.challenges", { $0.counted.challenges }), ("keepalive.sent", { $0.counted.keepAlivesSent }),
      ("keepalive.given_up", { $0.counted.contactsGivenUp }),
      ("tm.client_transactions", { UInt64($0.held.clientTransactions) }),
      ("tm.server_transactions", { UInt64($0.held.serverTransactions) }),
      ("tm.contexts", { UInt64($0.held.contexts) }), ("tm.queries", { UInt64($0.held.queries) }),
      ("tm.messages", { UInt64(clamping: $0.held.messages) }), ("tm.timers", { UInt64($0.held.timers) }),
      ("ul.bindings", { UInt64($0.bindings) }), ("ul.cached", { UInt64($0.location.cached) }),
      ("redis.degraded_since", { UInt64(max(0, $0.location.degradedSince ?? 0)) }),
      ("redis.queued", { UInt64($0.location.queued) }), ("redis.stalled", { UInt64($0.location.stalled) }),
      ("redis.under_way", { UInt64($0.location.underWay) }),
    ]
  }

  private static func transportSources() -> [(name: String, value: (Readings) -> UInt64)] {
    [
      ("tcp.connections", { UInt64($0.io.connections) }), ("tcp.addresses", { UInt64($0.io.addresses) }),
      ("tcp.accepted", { $0.io.accepted }), ("tcp.initiated", { $0.io.initiated }),
      ("tcp.opened", { $0.io.opened }), ("tcp.closed", { $0.io.closed }),
      ("tcp.refused", { $0.io.refusedConnections }), ("tcp.refused_by_address", { $0.io.refusedByAddress }),
      ("tcp.refused_by_system", { $0.io.refusedBySystem }), ("tcp.timeouts", { $0.io.deadlines.reduce(0, +) }),
      ("tcp.suspects", { $0.io.suspects }), ("tcp.framing_errors", { $0.io.framingErrors }),
      ("tcp.suspensions", { $0.io.suspensions }), ("tls.handshakes", { UInt64($0.io.handshakes) }),
      ("tls.handshake_failures", { $0.io.handshakeFailures.reduce(0, +) }),
      ("tls.evicted_handshakes", { $0.io.evictedHandshakes }),
      ("net.messages_received", { $0.io.messagesReceived }), ("net.messages_sent", { $0.io.messagesSent }),
      ("net.bytes_received", { $0.io.octetsReceived }), ("net.bytes_sent", { $0.io.octetsSent }),
      ("net.keepalives", { $0.io.keepAlives }), ("net.overloads", { $0.io.overloads }),
      ("udp.dropped", { $0.io.datagramsDropped }), ("udp.refused", { $0.io.datagramsRefused }),
      ("stun.answered", { $0.io.stunAnswered }), ("stun.ignored", { $0.io.stunIgnored }),
    ]
  }

  private static func revocationSources() -> [(name: String, value: (Readings) -> UInt64)] {
    [
      ("revocation.refused", { $0.io.handshakeFailures[Int(TLSError.Kind.revoked.rawValue)] }),
      ("revocation.crl_expired", { $0.io.handshakeFailures[Int(TLSError.Kind.crlExpired.rawValue)] }),
      ("revocation.ended", { $0.io.endedRevoked }),
      ("revocation.next_update", { UInt64(max(0, $0.revocation.nextUpdate)) }),
      ("revocation.ocsp_unavailable", { $0.io.handshakeFailures[Int(TLSError.Kind.ocspUnavailable.rawValue)] }),
      ("revocation.ocsp_asked", { $0.revocation.asked }), ("revocation.ocsp_failed", { $0.revocation.failed }),
      ("revocation.stapled", { UInt64($0.revocation.stapled) }),
    ]
  }

  private static func linkSources() -> [(name: String, value: (Readings) -> UInt64)] {
    [
      ("link.up", { UInt64($0.peers) }), ("link.frames_sent", { $0.links.framesSent }),
      ("link.packets_sent", { $0.links.packetsSent }), ("link.frames_received", { $0.links.framesReceived }),
      ("link.refused", { $0.links.refused }), ("link.broken", { $0.links.broken }),
      ("link.longest_queue", { UInt64($0.links.longestQueue) }),
      ("link.responses_passed", { $0.counted.responsesPassed }), ("link.responses_orphaned", { $0.orphaned }),
      ("link.offers_made", { $0.counted.offersMade }), ("link.offers_taken", { $0.counted.offersTaken }),
    ]
  }

  private static func loopSources() -> [(name: String, value: (Readings) -> UInt64)] {
    [
      ("loop.turns", { $0.loop.turns }), ("loop.events", { $0.loop.events }),
      ("loop.slow_turns", { $0.loop.slowTurns }),
      ("loop.longest_turn", { UInt64(clamping: $0.loop.longestTurn.nanoseconds / 1_000) }),
      ("loop.descriptors", { UInt64($0.loop.descriptors) }), ("loop.deadlines", { UInt64($0.loop.deadlines) }),
    ]
  }
}
