import CLinux

extension Socket {
  /// Sends one message of a Unix socket, with a descriptor along (SCM_RIGHTS) where one is given: the receiver gets one of
  /// its own. Never waits. `octets` must not be empty.
  public static func send(_ descriptor: Int32, _ octets: Span<UInt8>, passing passed: Int32?) -> IOResult {
    precondition(!octets.isEmpty)
    return result(
      of: octets.withUnsafeBufferPointer { clinux_send_passing(descriptor, $0.baseAddress, $0.count, passed ?? -1) })
  }

  /// Receives one message of a Unix socket into `buffer`, and into `passed` the descriptor that came along, nil when there was none. Never
  /// waits. A message that is longer than the buffer is lost: `.failed(Errno.messageSize)`, after which others may follow.
  public static func receive(
    _ descriptor: Int32, into buffer: inout [UInt8], passed: inout Descriptor?
  ) -> IOResult {
    precondition(!buffer.isEmpty)
    var number: Int32 = -1
    let count = buffer.withUnsafeMutableBytes {
      clinux_receive_passing(descriptor, $0.baseAddress, $0.count, &number)
    }
    passed = number >= 0 ? Descriptor(owning: number) : nil
    return count == 0 ? .endOfFile : result(of: count)
  }
}
