import CLinux

/// Owns a file descriptor: exactly one value does, and it closes it at the end of its life.
public struct Descriptor: ~Copyable, Sendable {
  /// The number, for calls that only borrow it.
  public let number: Int32

  /// Takes over the ownership of an open descriptor.
  public init(owning number: Int32) {
    self.number = number
  }

  deinit { clinux_close(number) }

  /// Gives up the ownership: the caller closes it.
  public consuming func release() -> Int32 {
    let number = number
    discard self
    return number
  }
}
