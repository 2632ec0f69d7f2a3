import Structures

/// What joins a phone to the server: a TCP or TLS connection, or a UDP socket of the phone's. Each end has its own idea of whether it is there.
final class Connection {
  let flow: Flow
  /// How many there were before, and one.
  let number: UInt64
  /// Which worker gets what comes over it.
  let slot: UInt16
  unowned let phone: Phone
  /// Whether the phone still uses it.
  var isOpenAtPhone = true
  /// Whether the server still has it; always so for UDP.
  var isOpenAtServer = true
  /// Nothing that would reach the server after this does.
  var upCut = Instant.distantFuture
  /// Nothing that would reach the phone after this does.
  var downCut = Instant.distantFuture
  /// When the last octets before reach the server and the phone: what is sent later arrives later, on a stream.
  var upArrival = Instant(nanoseconds: 0)
  var downArrival = Instant(nanoseconds: 0)
  /// Since when it isn't to be relied on; nil while nothing has happened to it.
  var brokenAt: Instant?

  init(flow: Flow, number: UInt64, slot: UInt16, phone: Phone) {
    self.flow = flow
    self.slot = slot
    self.number = number
    self.phone = phone
  }

  var isReliable: Bool { flow.transport.isReliable }
  /// Whether it was good all the time since an instant.
  func wasGood(from start: Instant, to end: Instant) -> Bool { brokenAt.map { $0 > end } ?? true }
}

/// How a connection ends.
enum Breakage: CaseIterable {
  /// The phone closes it: what it sent before arrives, what is under way to it doesn't.
  case closedByPhone
  /// The server closes it.
  case closedByServer
  /// Both ends learn at times of their own that it is broken; what was under way is lost.
  case reset
  /// Nothing arrives any more, and nobody is told; the phone is up again at once, or never notices.
  case silent
}
