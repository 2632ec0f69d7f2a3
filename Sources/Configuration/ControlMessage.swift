internal import Structures

/// One datagram of the control channel between the supervisor and a worker: the version of the format, the kind, what
/// the kind carries; numbers in network order.
///
/// The channel is a SOCK_SEQPACKET socket pair. Its end of file tells a worker that the supervisor is gone, and the
/// supervisor that the worker closed it. ``prepare(version:)`` and ``handOver`` have one descriptor along (SCM_RIGHTS); a descriptor that
/// comes with any other kind is closed by whoever receives it.
public enum ControlMessage: Sendable, Equatable {
  /// From the worker: it serves now.
  case ready
  /// From the worker, every ``heartbeatInterval``: it still turns.
  case heartbeat
  /// To the worker: finish what is under way, then exit with 0.
  case drain
  /// To the worker: exit with 0 at once.
  case stop
  /// To the worker: a question of an administrator. The worker answers with the same number, once or in pages.
  case question(id: UInt32, octets: [UInt8])
  /// From the worker: an answer, or a page of one; `isLast` when no other follows.
  case answer(id: UInt32, isLast: Bool, octets: [UInt8])
  /// To the worker: read the ``ConfigurationBundle`` of the descriptor that comes along, and say whether you could serve
  /// by it. It isn't in force before ``commit(version:)``.
  case prepare(version: UInt64)
  /// From the worker: it could serve by the configuration of that number.
  case prepared(version: UInt64)
  /// From the worker: it can't, and why.
  case refused(version: UInt64, reason: String)
  /// To the worker: serve by the configuration that was prepared.
  case commit(version: UInt64)
  /// To the worker: forget what was prepared.
  case abort(version: UInt64)
  /// To the worker: hand everything over to the next process of the slot, which is at the other end of the descriptor that comes along.
  case handOver
  /// From the worker: it has everything that could be handed over to it.
  case tookOver
  /// To the worker: the process that you were handing over to has ended; go on.
  case goOn
  /// To the worker: all processes of another slot up to this generation have ended, and with them their connections.
  case slotEnded(slot: UInt16, generation: UInt16)
  /// To the worker: close connections a few at a time, all in so many seconds; `refuses`: and turn away who connects.
  case moveOff(seconds: UInt32, refuses: Bool)
  /// To the worker: serve as before.
  case stay

  /// The version of the format.
  public static let version: UInt8 = 2
  /// Longer datagrams, of more than 64 KiB, are none.
  public static let maximumSize = 65_536
  /// How many octets a question or an answer carries at most: what a datagram takes behind version, kind, number and mark.
  public static let maximumPayload = maximumSize - 7
  /// How often a worker says that it lives: one second.
  public static let heartbeatInterval = Duration.seconds(1)
  /// The silence that counts as a hang: three seconds.
  public static let heartbeatTimeout = Duration.seconds(3)

  private enum Kind: UInt8 {
    case ready = 1
    case heartbeat, drain, stop, question, answer, prepare, prepared, refused, commit, abort, handOver, tookOver, goOn
    case slotEnded, moveOff, stay
  }

  /// The datagram. Of a question, an answer or a reason only what a datagram can carry is written.
  public var octets: [UInt8] {
    switch self {
    case .ready: Self.datagram(.ready)
    case .heartbeat: Self.datagram(.heartbeat)
    case .drain: Self.datagram(.drain)
    case .stop: Self.datagram(.stop)
    case .question(let id, let octets): Self.datagram(.question, UInt64(id), 4, rest: octets)
    case .answer(let id, let isLast, let octets):
      Self.datagram(.answer, UInt64(id) << 8 | (isLast ? 1 : 0), 5, rest: octets)
    case .prepare(let version): Self.datagram(.prepare, version, 8)
    case .prepared(let version): Self.datagram(.prepared, version, 8)
    case .refused(let version, let reason): Self.datagram(.refused, version, 8, rest: Array(reason.utf8))
    case .commit(let version): Self.datagram(.commit, version, 8)
    case .abort(let version): Self.datagram(.abort, version, 8)
    case .handOver: Self.datagram(.handOver)
    case .tookOver: Self.datagram(.tookOver)
    case .goOn: Self.datagram(.goOn)
    case .slotEnded(let slot, let generation): Self.datagram(.slotEnded, UInt64(slot) << 16 | UInt64(generation), 4)
    case .moveOff(let seconds, let refuses):
      Self.datagram(.moveOff, UInt64(seconds) << 8 | (refuses ? 1 : 0), 5)
    case .stay: Self.datagram(.stay)
    }
  }

  /// Reads a datagram; nil for another version, an unknown kind or what does not fit the kind.
  public init?(_ octets: Span<UInt8>) {
    guard octets.count >= 2, octets.count <= Self.maximumSize, octets[0] == Self.version,
      let kind = Kind(rawValue: octets[1])
    else { return nil }
    let payload = octets.extracting(2...)
    switch kind {
    case .ready, .heartbeat, .drain, .stop, .handOver, .tookOver, .goOn, .stay: self.init(word: kind, payload)
    case .question, .answer: self.init(dialogue: kind, payload)
    case .prepare, .prepared, .refused, .commit, .abort: self.init(reload: kind, payload)
    case .moveOff:
      guard payload.count == 5, payload[4] <= 1 else { return nil }
      self = .moveOff(seconds: UInt32(payload.bigEndian(0, 4)), refuses: payload[4] == 1)
    case .slotEnded:
      guard payload.count == 4 else { return nil }
      self = .slotEnded(
        slot: UInt16(payload.bigEndian(0, 2)), generation: UInt16(payload.bigEndian(2, 2)))
    }
  }

  private init?(word kind: Kind, _ payload: Span<UInt8>) {
    guard payload.isEmpty else { return nil }
    switch kind {
    case .ready: self = .ready
    case .heartbeat: self = .heartbeat
    case .drain: self = .drain
    case .stop: self = .stop
    case .handOver: self = .handOver
    case .tookOver: self = .tookOver
    case .goOn: self = .goOn
    case .stay: self = .stay
    default: return nil
    }
  }

  private init?(dialogue kind: Kind, _ payload: Span<UInt8>) {
    guard let number = Self.number(payload, 4) else { return nil }
    let id = UInt32(truncatingIfNeeded: number)
    switch kind {
    case .question:
      self = .question(id: id, octets: payload.extracting(4...).array)
    case .answer:
      guard payload.count >= 5, payload[4] <= 1 else { return nil }
      self = .answer(id: id, isLast: payload[4] == 1, octets: payload.extracting(5...).array)
    default: return nil
    }
  }

  private init?(reload kind: Kind, _ payload: Span<UInt8>) {
    guard let version = Self.number(payload, 8), payload.count == 8 || kind == .refused else { return nil }
    switch kind {
    case .prepare: self = .prepare(version: version)
    case .prepared: self = .prepared(version: version)
    case .refused:
      guard let reason = String(validating: payload.extracting(8...).array, as: UTF8.self) else { return nil }
      self = .refused(version: version, reason: reason)
    case .commit: self = .commit(version: version)
    case .abort: self = .abort(version: version)
    default: return nil
    }
  }

  private static func datagram(_ kind: Kind, _ number: UInt64 = 0, _ length: Int = 0, rest: [UInt8] = []) -> [UInt8] {
    var octets = [version, kind.rawValue]
    octets.reserveCapacity(2 + length + min(rest.count, maximumSize))
    for place in (0..<length).reversed() { octets.append(UInt8(truncatingIfNeeded: number >> (8 * UInt64(place)))) }
    var end = min(rest.count, maximumSize - octets.count)
    // A text is cut between characters.
    while kind == .refused, end > 0, end < rest.count, rest[end] & 0xC0 == 0x80 { end -= 1 }
    return octets + rest[..<end]
  }

  /// The number in the first `length` octets; nil when there are fewer.
  private static func number(_ octets: Span<UInt8>, _ length: Int) -> UInt64? {
    octets.count >= length ? octets.bigEndian(0, length) : nil
  }
}
