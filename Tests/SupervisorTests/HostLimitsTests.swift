import Configuration
import Testing

@testable import Supervisor

@Suite("What the host grants")
struct HostLimitsTests {
  private static func configuration(_ more: [(String, SettingNode)] = []) throws -> NodeConfiguration {
    let pairs: [(String, SettingNode)] =
      [("domains", ["example.test"]), ("listen", ["tcp:127.0.0.1:5060", "udp:127.0.0.1:5060"]), ("workers", "4")] + more
    return try NodeConfiguration(
      settings: .mapping(pairs.map { .init(key: $0.0, position: .start, value: $0.1) }, .start))
  }

  /// A host on which nothing is too low.
  private static var generous: HostLimits {
    HostLimits(
      descriptors: 1 << 20, allDescriptors: .max, backlog: 4_096, localPorts: 32_768...60_999, reservedPorts: nil,
      receiveBuffer: 4 << 20, sendBuffer: 1 << 20)
  }

  @Test("a host that grants enough, or does not say what it grants, gives no reason to complain")
  func enough() throws {
    #expect(Self.generous.findings(for: try Self.configuration()) == [])
    #expect(HostLimits(descriptors: 1 << 20).findings(for: try Self.configuration()) == [])
  }

  @Test("every limit that is too low is named with the line that raises it")
  func tooLow() throws {
    let poor = HostLimits(
      descriptors: 4_096, allDescriptors: 200_000, backlog: 128, localPorts: 5_000...9_999, reservedPorts: nil,
      receiveBuffer: 212_992, sendBuffer: 212_992)
    let findings = poor.findings(for: try Self.configuration())
    #expect(
      findings.map(\.remedy) == [
        "LimitNOFILE=101026 in the unit, ulimit -Hn 101026 in a shell, or lower limits.connections",
        "sysctl -w fs.file-max=404104", "sysctl -w net.core.somaxconn=4096",
        "sysctl -w net.ipv4.ip_local_port_range=\"10240 65535\"",
        "sysctl -w net.ipv4.ip_local_reserved_ports=5060", "sysctl -w net.core.rmem_max=4194304",
        "sysctl -w net.core.wmem_max=1048576",
      ])
    #expect(
      findings[5].description
        == "net.core.rmem_max is 212992, and UDP listeners ask for a receive buffer of 4194304; "
        + "sysctl -w net.core.rmem_max=4194304")
  }

  @Test("what a configuration does not use is not asked for")
  func unused() throws {
    var poor = Self.generous
    (poor.backlog, poor.receiveBuffer, poor.sendBuffer) = (1, 1, 1)
    let plain = try Self.configuration([])
    var udp = plain
    udp.listen.removeAll { $0.transport == .tcp }
    udp.workers = 1
    #expect(poor.findings(for: udp).map(\.remedy) == ["sysctl -w net.core.rmem_max=4194304"])
    var tcp = plain
    tcp.listen.removeAll { $0.transport == .udp }
    tcp.workers = 1
    #expect(poor.findings(for: tcp).map(\.remedy) == ["sysctl -w net.core.somaxconn=4096"])
  }

  @Test("a port of ours that is reserved in the range for others is no reason to complain")
  func reserved() throws {
    var host = Self.generous
    (host.localPorts, host.reservedPorts) = (1_024...65_535, "5060")
    #expect(host.findings(for: try Self.configuration()) == [])
  }

  @Test("this host says what it grants")
  func real() {
    let host = HostLimits.read()
    #expect(host.descriptors > 0)
    #expect(host.backlog.map { $0 > 0 } == true)
    #expect(host.localPorts.map { $0.count > 1 } == true)
  }
}
