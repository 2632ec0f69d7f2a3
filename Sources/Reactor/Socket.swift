import CLinux
import Structures

/// What became of an attempt to read or write.
public enum IOResult: Equatable, Sendable {
  /// So many octets, at least one.
  case octets(Int)
  /// Nothing now; the descriptor will be reported as ready.
  case wouldBlock
  /// The peer sends no more.
  case endOfFile
  /// The descriptor is of no more use; the errno.
  case failed(Int32)
}

/// What `accept` brought.
public enum Accepted: ~Copyable {
  /// A connection, non-blocking and closed on exec, and its peer.
  case connection(Descriptor, SocketAddress)
  /// Nobody waits.
  case none
  /// A connection waits but there is no descriptor or memory for it (EMFILE, ENFILE, ENOBUFS, ENOMEM).
  case exhausted
  /// The listener itself is broken, or that one connection was; the errno.
  case failed(Int32)
}

/// What a TCP connection knows of its peer's acknowledgements (TCP_INFO). Its times are those of the kernel's ticks: up to 10 ms.
public struct Acknowledgements: Sendable {
  /// Segments that were sent and are not acknowledged.
  public let inFlight: Int
  /// Probes that were sent since the last acknowledgement, to a peer whose window is closed.
  public let probes: Int
  /// How long ago the last acknowledgement came.
  public let silence: Duration
  /// How long ago data was sent, or sent again.
  public let lastSent: Duration
}

/// Calls on sockets. All sockets that are made here are non-blocking and closed on exec.
public enum Socket {
  /// A listening TCP socket with SO_REUSEADDR and SO_REUSEPORT; an IPv6 one takes IPv6 alone. The kernel cuts `backlog`
  /// to `net.core.somaxconn`.
  public static func listen(_ address: SocketAddress, backlog: Int32 = 4096) throws(SystemError) -> Descriptor {
    var system = address.system
    return Descriptor(owning: try SystemError.check("bind", clinux_listen(&system, backlog)))
  }

  /// A bound UDP socket with SO_REUSEPORT. `receiveBuffer` is in bytes; a host may grant less (`net.core.rmem_max`).
  public static func datagram(
    _ address: SocketAddress, receiveBuffer: Int32 = 4 << 20
  ) throws(SystemError) -> Descriptor {
    var system = address.system
    return Descriptor(owning: try SystemError.check("bind", clinux_datagram(&system, receiveBuffer)))
  }

  /// A TCP socket that starts to connect. When it is writable, ``pendingError(_:)`` tells the outcome.
  public static func connect(
    to address: SocketAddress, from source: SocketAddress? = nil
  ) throws(SystemError) -> Descriptor {
    var system = address.system
    guard var bound = source?.system else {
      return Descriptor(owning: try SystemError.check("connect", clinux_connect(&system, nil)))
    }
    return Descriptor(owning: try SystemError.check("connect", clinux_connect(&system, &bound)))
  }

  /// A stream socket connected to the Unix socket at a path of at most 107 octets. When the listener takes no more connections for now, it throws EAGAIN.
  public static func connect(toPath path: String) throws(SystemError) -> Descriptor {
    Descriptor(owning: try SystemError.check("connect", clinux_unix_connect(path, clinux_stream)))
  }

  /// Takes the error that is pending at the socket (SO_ERROR); nil when there is none.
  public static func pendingError(_ descriptor: Int32) -> SystemError? {
    let result = clinux_socket_error(descriptor)
    return result < 0 ? SystemError("connect", code: -result) : nil
  }

  /// Takes one connection from a listening socket.
  public static func accept(_ listener: Int32) -> Accepted {
    var system = clinux_address()
    let result = clinux_accept(listener, &system)
    if result >= 0 {
      let descriptor = Descriptor(owning: result)
      guard let remote = SocketAddress(system) else { return .failed(Errno.addressFamily) }
      return .connection(descriptor, remote)
    }
    switch -result {
    case Errno.again: return .none
    case Errno.processFull, Errno.systemFull, Errno.noBuffers, Errno.noMemory: return .exhausted
    default: return .failed(-result)
    }
  }

  /// The socket's own address.
  public static func localAddress(_ descriptor: Int32) throws(SystemError) -> SocketAddress {
    var system = clinux_address()
    try SystemError.check("getsockname", clinux_local_address(descriptor, &system))
    guard let address = SocketAddress(system) else { throw SystemError("getsockname", code: Errno.addressFamily) }
    return address
  }

  /// The address of the socket's peer.
  public static func remoteAddress(_ descriptor: Int32) throws(SystemError) -> SocketAddress {
    var system = clinux_address()
    try SystemError.check("getpeername", clinux_remote_address(descriptor, &system))
    guard let address = SocketAddress(system) else { throw SystemError("getpeername", code: Errno.addressFamily) }
    return address
  }

  /// The addresses of this host's interfaces at the moment, at most 256.
  public static func interfaceAddresses() throws(SystemError) -> [IPAddress] {
    var system = [clinux_address](repeating: clinux_address(), count: 256)
    let count = try SystemError.check("getifaddrs", clinux_interface_addresses(&system, Int32(system.count)))
    return system.prefix(Int(count)).compactMap { SocketAddress($0)?.address }
  }

  /// Makes an inherited descriptor non-blocking and closes it on exec.
  public static func adopt(_ descriptor: Int32) throws(SystemError) {
    try SystemError.check("fcntl", clinux_set_non_blocking(descriptor, true))
    try SystemError.check("fcntl", clinux_set_close_on_exec(descriptor, true))
  }

  /// Sends what is written at once (TCP_NODELAY).
  public static func setNoDelay(_ descriptor: Int32) { _ = clinux_set_no_delay(descriptor) }

  /// Probes a silent peer: first after `idle`, then every `interval`, and gives up after `count` probes. Whole seconds.
  public static func setKeepAlive(_ descriptor: Int32, idle: Duration, interval: Duration, count: Int32) {
    let (first, next) = (max(1, idle.components.seconds), max(1, interval.components.seconds))
    _ = clinux_set_keep_alive(descriptor, Int32(clamping: first), Int32(clamping: next), count)
  }

  /// Probes silent peers no more.
  public static func clearKeepAlive(_ descriptor: Int32) { _ = clinux_clear_keep_alive(descriptor) }

  /// Ends the connection when what was sent stays unacknowledged for so long (TCP_USER_TIMEOUT); zero: when the
  /// system thinks fit. Whole milliseconds.
  public static func setUserTimeout(_ descriptor: Int32, _ duration: Duration) {
    _ = clinux_set_user_timeout(descriptor, UInt32(clamping: duration.nanoseconds / 1_000_000))
  }

  /// How many octets that were written to a stream its peer has not acknowledged, sent or not (SIOCOUTQ); 0 when the system can't tell.
  public static func unacknowledged(_ descriptor: Int32) -> Int { max(0, Int(clinux_unacknowledged(descriptor))) }

  /// What a TCP connection knows of its peer's acknowledgements; nil when the system can't tell.
  public static func acknowledgements(_ descriptor: Int32) -> Acknowledgements? {
    var state = clinux_acknowledgements()
    guard clinux_acknowledgements(descriptor, &state) == 0 else { return nil }
    return Acknowledgements(
      inFlight: Int(state.in_flight), probes: Int(state.probes), silence: .milliseconds(Int64(state.silence)),
      lastSent: .milliseconds(Int64(state.last_sent)))
  }

  /// Asks for a send buffer of so many bytes.
  public static func setSendBuffer(_ descriptor: Int32, bytes: Int32) { _ = clinux_set_send_buffer(descriptor, bytes) }

  /// Asks for a receive buffer of so many bytes.
  public static func setReceiveBuffer(_ descriptor: Int32, bytes: Int32) {
    _ = clinux_set_receive_buffer(descriptor, bytes)
  }

  /// Closing resets the connection: for peers that are refused, so that no TIME-WAIT is kept for them.
  public static func setAbortiveClose(_ descriptor: Int32) { _ = clinux_set_abortive_close(descriptor) }

  /// Sends no more; what was written is delivered and then an end of file.
  public static func shutdownWrite(_ descriptor: Int32) { _ = clinux_shutdown_write(descriptor) }

  /// A descriptor to be closed when one is needed badly, so that a connection can be accepted and refused.
  public static func spare() throws(SystemError) -> Descriptor {
    Descriptor(owning: try SystemError.check("open", clinux_spare()))
  }

  /// Reads into `buffer` from `offset` to its end.
  public static func read(_ descriptor: Int32, into buffer: inout [UInt8], from offset: Int = 0) -> IOResult {
    let room = buffer.count - offset
    precondition(offset >= 0 && room > 0)
    let count = buffer.withUnsafeMutableBytes { clinux_read(descriptor, $0.baseAddress?.advanced(by: offset), room) }
    return count == 0 ? .endOfFile : result(of: count)
  }

  /// Writes as much of `octets` as the socket takes; raises no SIGPIPE.
  public static func send(_ descriptor: Int32, _ octets: Span<UInt8>) -> IOResult {
    if octets.isEmpty { return .octets(0) }
    return result(of: octets.withUnsafeBufferPointer { clinux_send(descriptor, $0.baseAddress, $0.count) })
  }

  static func result(of count: Int) -> IOResult {
    if count >= 0 { return .octets(count) }
    return count == -Int(Errno.again) ? .wouldBlock : .failed(Int32(-count))
  }
}

/// The error numbers that are told apart, as Linux numbers them.
public enum Errno {
  /// EAGAIN.
  public static let again: Int32 = 11
  /// ENOMEM.
  public static let noMemory: Int32 = 12
  /// ENFILE.
  public static let systemFull: Int32 = 23
  /// EMFILE.
  public static let processFull: Int32 = 24
  /// EMSGSIZE.
  public static let messageSize: Int32 = 90
  /// EAFNOSUPPORT.
  public static let addressFamily: Int32 = 97
  /// ENOBUFS.
  public static let noBuffers: Int32 = 105
  /// ECONNREFUSED.
  public static let refused: Int32 = 111
}
