internal import CLinux
public import Configuration
internal import Reactor
public import Structures

/// The sockets of all worker slots. Held for the supervisor's life: closing a SO_REUSEPORT socket would reset the
/// connections that wait in its queue, and a UDP listener with another number of sockets would give half of its clients
/// to other workers.
public struct ListenerSockets: ~Copyable {
  /// Why a listener can't be had.
  public struct Problem: Error {
    /// Its position in the configuration.
    public let index: Int
    /// The listener as it stands in the configuration.
    public let listener: String
    /// What is wrong.
    public let problem: String
    /// What to do about it.
    public let remedy: String
  }

  /// The descriptors of each slot, in the order of the configuration.
  public let slots: [[Int32]]
  /// Where they are bound: the ports that the system chose in place of 0.
  public let addresses: [SocketAddress]

  /// Opens, binds and, for TCP and TLS, listens: once for each of `slots`, at the same address and port for all.
  public init(_ listeners: [NodeConfiguration.Listener], slots count: Int) throws(Problem) {
    var slots: [[Int32]] = Array(repeating: [], count: count)
    var addresses: [SocketAddress] = []
    for (index, listener) in listeners.enumerated() {
      do throws(SystemError) {
        try Self.checkFree(listener)
        // A port that the system chose for the first is asked for by the others.
        var address = listener.address
        for slot in 0..<count {
          let descriptor = listener.transport == .udp ? try Socket.datagram(address) : try Socket.listen(address)
          if slot == 0 { address = try Socket.localAddress(descriptor.number) }
          slots[slot].append(descriptor.release())
        }
        addresses.append(address)
      } catch {
        for number in slots.joined() { clinux_close(number) }
        throw Self.problem(index, listener, error)
      }
    }
    self.slots = slots
    self.addresses = addresses
  }

  /// Those that the program before held.
  init(inheriting slots: [[Int32]]) throws(SystemError) {
    self.slots = slots
    var addresses: [SocketAddress] = []
    for number in slots.first ?? [] { addresses.append(try Socket.localAddress(number)) }
    self.addresses = addresses
  }

  deinit {
    for number in slots.joined() { clinux_close(number) }
  }

  private static func checkFree(_ listener: NodeConfiguration.Listener) throws(SystemError) {
    let (address, port) = (listener.address.address, listener.address.port)
    var system = clinux_address(high: address.high, low: address.low, port: port, family: address.family.rawValue)
    let taken = clinux_port_taken(&system, listener.transport != .udp)
    if taken != 0 { throw SystemError("bind", code: taken > 0 ? addressInUse : -taken) }
  }

  private static let addressInUse: Int32 = 98
  private static let addressUnknown: Int32 = 99
  private static let permissionDenied: Int32 = 13

  private static func problem(_ index: Int, _ listener: NodeConfiguration.Listener, _ error: SystemError) -> Problem {
    let remedy =
      switch error.code {
      case addressInUse: "another program has the port (ss -lntup shows which); stop it or choose another port"
      case addressUnknown:
        "no interface of this host has the address (ip address shows them); write 0.0.0.0 or [::] for all"
      case permissionDenied: "choose a port above 1023, or grant CAP_NET_BIND_SERVICE"
      default: ""
      }
    return Problem(
      index: index, listener: "\(listener.transport.name):\(listener.address)", problem: error.text.lowercased(),
      remedy: remedy)
  }
}
