internal import CLinux
public import Configuration
internal import Glibc

/// What this host grants, compared with what a configuration wants of it.
public struct HostLimits: Sendable, Equatable {
  /// A limit that is too low, and how it is raised.
  public struct Finding: Sendable, Equatable, CustomStringConvertible {
    /// What is too low, and what suffers.
    public var problem: String
    /// What to do.
    public var remedy: String

    /// The line of a log: problem and remedy.
    public var description: String { "\(problem); \(remedy)" }
  }

  /// Descriptors that one process may have (the hard RLIMIT_NOFILE).
  var descriptors: Int
  /// Descriptors of the whole host (`fs.file-max`).
  var allDescriptors: Int?
  /// The longest queue of connections to be accepted (`net.core.somaxconn`).
  var backlog: Int?
  /// The ports from which connections are opened (`net.ipv4.ip_local_port_range`).
  var localPorts: ClosedRange<Int>?
  /// Ports kept out of that range (`net.ipv4.ip_local_reserved_ports`).
  var reservedPorts: String?
  /// The largest receive buffer of a socket in bytes (`net.core.rmem_max`).
  var receiveBuffer: Int?
  /// The largest send buffer of a socket in bytes (`net.core.wmem_max`).
  var sendBuffer: Int?

  /// Connections that wait to be accepted by one listener.
  private static let wantedBacklog = 4_096
  /// The receive buffer that UDP listeners ask for, in bytes.
  private static let wantedReceiveBuffer = 4 << 20
  /// The send buffer that links between workers ask for, in bytes. `net.unix.max_dgram_qlen` doesn't count for them: they are
  /// SOCK_SEQPACKET sockets, bounded by their buffers.
  private static let wantedSendBuffer = 1 << 20
  /// Fewer ports to open connections from are few for a proxy.
  private static let wantedPorts = 16_384
  /// Descriptors of a worker beside its connections and listeners.
  private static let reserve = 1_024

  /// Reads what the host grants this process.
  public static func read() -> HostLimits {
    let ports = words("net/ipv4/ip_local_port_range")
    var limits = HostLimits(descriptors: Int(clamping: clinux_descriptor_limit()))
    limits.allDescriptors = number("fs/file-max")
    limits.backlog = number("net/core/somaxconn")
    if ports.count == 2, let first = Int(ports[0]), let last = Int(ports[1]), first <= last {
      limits.localPorts = first...last
    }
    limits.reservedPorts = words("net/ipv4/ip_local_reserved_ports").first.map(String.init)
    limits.receiveBuffer = number("net/core/rmem_max")
    limits.sendBuffer = number("net/core/wmem_max")
    return limits
  }

  /// What is too low for a configuration.
  public func findings(for configuration: NodeConfiguration) -> [Finding] {
    descriptorFindings(configuration) + portFindings(configuration) + bufferFindings(configuration)
  }

  private func descriptorFindings(_ configuration: NodeConfiguration) -> [Finding] {
    var findings: [Finding] = []
    let wanted = configuration.limits.connections + configuration.listen.count + Self.reserve
    if descriptors < wanted {
      findings.append(
        Finding(
          problem: "a process may open \(descriptors) files, which is less than limits.connections "
            + "(\(configuration.limits.connections)) needs",
          remedy: "LimitNOFILE=\(wanted) in the unit, ulimit -Hn \(wanted) in a shell, or lower limits.connections"))
    }
    let all = wanted * configuration.workers
    if let allDescriptors, allDescriptors < all {
      findings.append(Self.tooLow("fs.file-max", allDescriptors, "\(configuration.workers) workers open up to", all))
    }
    return findings
  }

  private func portFindings(_ configuration: NodeConfiguration) -> [Finding] {
    var findings: [Finding] = []
    if let backlog, backlog < Self.wantedBacklog, configuration.listen.contains(where: { $0.transport != .udp }) {
      findings.append(
        Self.tooLow("net.core.somaxconn", backlog, "listeners ask for a queue of", Self.wantedBacklog))
    }
    guard let localPorts else { return findings }
    if localPorts.count < Self.wantedPorts {
      findings.append(
        Finding(
          problem: "net.ipv4.ip_local_port_range leaves \(localPorts.count) ports for connections that the node opens",
          remedy: "sysctl -w net.ipv4.ip_local_port_range=\"10240 65535\""))
    }
    // Any program may get such a port while the node is down, which then can't start.
    let own = Set(configuration.listen.map { Int($0.address.port) }).filter { localPorts.contains($0) }.sorted()
    if !own.isEmpty, reservedPorts == nil {
      let list = own.map(String.init).joined(separator: ",")
      findings.append(
        Finding(
          problem: "the system may give port \(list) of listen to another program",
          remedy: "sysctl -w net.ipv4.ip_local_reserved_ports=\(list)"))
    }
    return findings
  }

  private func bufferFindings(_ configuration: NodeConfiguration) -> [Finding] {
    var findings: [Finding] = []
    if let receiveBuffer, receiveBuffer < Self.wantedReceiveBuffer,
      configuration.listen.contains(where: { $0.transport == .udp })
    {
      findings.append(
        Self.tooLow(
          "net.core.rmem_max", receiveBuffer, "UDP listeners ask for a receive buffer of", Self.wantedReceiveBuffer))
    }
    if let sendBuffer, sendBuffer < Self.wantedSendBuffer, configuration.workers > 1 {
      findings.append(
        Self.tooLow(
          "net.core.wmem_max", sendBuffer, "links between workers ask for a send buffer of", Self.wantedSendBuffer))
    }
    return findings
  }

  private static func tooLow(_ name: String, _ value: Int, _ wish: String, _ wanted: Int) -> Finding {
    Finding(problem: "\(name) is \(value), and \(wish) \(wanted)", remedy: "sysctl -w \(name)=\(wanted)")
  }

  private static func words(_ name: String) -> [Substring] {
    guard case .success(let octets) = Files.read("/proc/sys/\(name)") else { return [] }
    return String(decoding: octets, as: UTF8.self).split { $0 == " " || $0 == "\t" || $0 == "\n" }
  }

  private static func number(_ name: String) -> Int? {
    // What doesn't fit is more than enough.
    words(name).first.map { Int($0) ?? .max }
  }
}

extension HostLimits {
  /// A host that grants so many descriptors to a process and of which nothing else is known.
  init(descriptors: Int) {
    self.init(
      descriptors: descriptors, allDescriptors: nil, backlog: nil, localPorts: nil, reservedPorts: nil,
      receiveBuffer: nil, sendBuffer: nil)
  }
}
