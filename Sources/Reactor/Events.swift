import CLinux

/// What a descriptor is ready for, or what a handler wants to hear of.
public struct Events: OptionSet, Sendable {
  /// The bits as epoll has them.
  public let rawValue: UInt32

  /// Events from epoll's bits.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Octets, a connection or an end of file can be read.
  public static let readable = Events(rawValue: 0x001)
  /// Octets can be written.
  public static let writable = Events(rawValue: 0x004)
  /// An error is pending. Always reported, wanted or not.
  public static let error = Events(rawValue: 0x008)
  /// Both directions are closed. Always reported, wanted or not.
  public static let hangup = Events(rawValue: 0x010)
}

/// Hears of one descriptor that it registered at an ``EventLoop``.
public protocol EventHandler: AnyObject {
  /// The descriptor is ready. Level-triggered: what isn't dealt with is reported again in the next turn.
  func ready(_ events: Events)
}

/// Hears of a deadline that it scheduled at an ``EventLoop``.
public protocol DeadlineOwner: AnyObject {
  /// The deadline has passed; it is no longer scheduled.
  func deadlinePassed(_ deadline: DeadlineID)
}

/// One deadline of one owner at an ``EventLoop``, which is scheduled, moved and cancelled under this name.
public struct DeadlineID: Hashable, Sendable {
  let position: UInt32
}
