import CLinux
import Reactor

/// Calls on the packet sockets that links are made of. All are non-blocking and closed on exec.
enum LinkSocket {
  /// Octets that the kernel may hold for one link; it grants less where `net.core.wmem_max` is lower.
  static let bufferBytes: Int32 = 1 << 20

  /// Connects to a listener's path. Throws with `EAGAIN` when too many wait there already.
  static func connect(to path: String) throws(SystemError) -> Descriptor {
    let result = clinux_unix_connect(path, clinux_seqpacket)
    if result < 0 { throw SystemError("connect", code: -result) }
    let descriptor = Descriptor(owning: result)
    // The listener is the supervisor's, which may have been another user when it made it.
    let user = clinux_peer_user(descriptor.number)
    guard user == clinux_user() || user == 0 else { throw SystemError("connect", code: Errno.notPermitted) }
    Socket.setSendBuffer(descriptor.number, bytes: bufferBytes)
    return descriptor
  }

  /// Takes one connection of a process of our own user; those of others are closed. Nil when nobody waits.
  static func accept(_ listener: Int32) -> Descriptor? {
    while true {
      let result = clinux_packet_accept(listener)
      guard result >= 0 else { return nil }
      let descriptor = Descriptor(owning: result)
      if clinux_peer_user(descriptor.number) == clinux_user() { return descriptor }
    }
  }
}

extension Errno {
  /// EPERM.
  static let notPermitted: Int32 = 1
}
