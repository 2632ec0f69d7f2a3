import CLinux
import Structures

/// Room for several datagrams that one call receives; made once per loop and used again and again.
public final class DatagramBatch {
  /// Most datagrams of one call.
  public static let capacity = 32
  /// One more than the largest UDP payload over IPv4, so that none is cut.
  private static let datagramSize = 65_536

  private let batch: OpaquePointer

  /// Reserves address space for 32 datagrams of up to 65,535 octets; memory is used as traffic touches it.
  public init() throws(SystemError) {
    guard let batch = clinux_batch_create(Int32(Self.capacity), Self.datagramSize) else {
      throw SystemError("malloc", code: Errno.noMemory)
    }
    self.batch = batch
  }

  deinit { clinux_batch_destroy(batch) }

  /// Receives what waits at the socket, up to ``capacity`` datagrams: `.octets` tells their number.
  public func receive(_ descriptor: Int32) -> IOResult {
    let count = clinux_batch_receive(batch, descriptor)
    if count >= 0 { return .octets(Int(count)) }
    return count == -Errno.again ? .wouldBlock : .failed(-count)
  }

  /// The sender of datagram `index` of the last batch; nil when it is neither IPv4 nor IPv6.
  public func sender(_ index: Int) -> SocketAddress? {
    var system = clinux_address()
    clinux_batch_sender(batch, Int32(index), &system)
    return SocketAddress(system)
  }

  /// Hands the octets of datagram `index` of the last batch to `body`; valid only there.
  public func withDatagram(_ index: Int, _ body: (Span<UInt8>) -> Void) {
    precondition(index >= 0 && index < Self.capacity)
    let length = clinux_batch_length(batch, Int32(index))
    guard length >= 0, let octets = clinux_batch_octets(batch, Int32(index)) else { return }
    body(Span(_unsafeElements: UnsafeBufferPointer(start: octets, count: length)))
  }
}

extension Socket {
  /// Sends one datagram. `.failed` carries the errno, which may be that of an earlier datagram that ICMP refused.
  public static func send(_ descriptor: Int32, _ octets: Span<UInt8>, to address: SocketAddress) -> IOResult {
    var system = address.system
    let count = octets.withUnsafeBufferPointer { clinux_send_to(descriptor, $0.baseAddress, $0.count, &system) }
    if count >= 0 { return .octets(count) }
    return count == -Int(Errno.again) ? .wouldBlock : .failed(Int32(-count))
  }

  /// Keeps ICMP errors with the peer that they concern for ``takeDatagramError(_:)`` (IP_RECVERR, IPV6_RECVERR).
  public static func setErrorQueue(_ descriptor: Int32, family: IPAddress.Family) throws(SystemError) {
    try SystemError.check("setsockopt", clinux_set_error_queue(descriptor, Int32(family.rawValue)))
  }

  /// Takes one ICMP error from the queue of a datagram socket: the peer that a datagram didn't reach (nil when unknown)
  /// and the errno. Nil when the queue is empty.
  public static func takeDatagramError(_ descriptor: Int32) -> (peer: SocketAddress?, code: Int32)? {
    var system = clinux_address()
    var code: Int32 = 0
    guard clinux_error_queue(descriptor, &system, &code) == 1 else { return nil }
    return (SocketAddress(system), code)
  }
}
