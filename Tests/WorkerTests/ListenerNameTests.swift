import Configuration
import SIPServer
import Structures
import Testing

@testable import Worker

@Suite("How listeners are called in Via and Record-Route, RFC 3261 §18.1.1, RFC 5658 §3.1")
struct ListenerNameTests {
  /// Sent-by and Record-Route of each listener.
  private func names(
    _ listen: SettingNode, advertise: String? = nil, cluster: String? = nil, _ interfaces: [String] = []
  ) throws -> [String] {
    var pairs: [(String, SettingNode)] = [("node", "n"), ("domains", ["example.test"]), ("listen", listen)]
    if let advertise { pairs.append(("advertise", .scalar(text: advertise, wasQuoted: false, .start))) }
    if let cluster {
      pairs.append(
        (
          "cluster",
          .mapping(
            [SettingNode.Pair(key: "name", position: .start, value: .scalar(text: cluster, wasQuoted: false, .start))],
            .start)
        ))
    }
    let facts = SettingsSources.Facts(hostName: "n", cores: 1, clusterSecret: Array(repeating: 9, count: 32))
    let tree = SettingNode.mapping(
      pairs.map { SettingNode.Pair(key: $0.0, position: .start, value: $0.1) }, .start)
    let resolved = ConfigurationBundle(file: "test", settings: tree, facts: facts).resolve()
    let configuration = try #require(resolved.configuration, "\(resolved.errors)")
    let settings = ServerSettings(configuration, interfaces: interfaces.compactMap { IPAddress($0) })
    return settings.listeners.map {
      String(decoding: $0.sentBy, as: UTF8.self) + " " + String(decoding: $0.recordRoute, as: UTF8.self)
    }
  }

  private static let both: SettingNode = ["tcp:192.0.2.1:5060", "tcp:[2001:db8::1]:5070"]

  @Test("a name serves both families")
  func name() throws {
    #expect(
      try names(Self.both, advertise: "n1.example.test", cluster: "sip.example.test") == [
        "n1.example.test:5060 sip.example.test:5060", "n1.example.test:5070 sip.example.test:5070",
      ])
  }

  @Test("an address serves its own family; the listener of the other one is called by its own")
  func literals() throws {
    #expect(
      try names(Self.both, advertise: "198.51.100.7", cluster: "198.51.100.8") == [
        "198.51.100.7:5060 198.51.100.8:5060", "[2001:db8::1]:5070 [2001:db8::1]:5070",
      ])
    #expect(
      try names(Self.both, advertise: "[2001:db8::7]", cluster: "[2001:db8::8]") == [
        "192.0.2.1:5060 192.0.2.1:5060", "[2001:db8::7]:5070 [2001:db8::8]:5070",
      ])
    #expect(
      try names(Self.both, advertise: "n1.example.test", cluster: "[2001:db8::8]") == [
        "n1.example.test:5060 n1.example.test:5060", "n1.example.test:5070 [2001:db8::8]:5070",
      ])
  }

  @Test("a listener on all addresses of the other family is called by one of the host's that others can reach")
  func unspecified() throws {
    let hosts = ["127.0.0.1", "192.0.2.9", "::1", "fe80::1", "2001:db8::9"]
    #expect(
      try names(["tcp:0.0.0.0:5060", "tcp:[::]:5070"], advertise: "198.51.100.7", hosts).last
        == "[2001:db8::9]:5070 [2001:db8::9]:5070")
    #expect(
      try names(["tcp:0.0.0.0:5060", "tcp:[::]:5070"], advertise: "[2001:db8::7]", hosts).first
        == "192.0.2.9:5060 192.0.2.9:5060")
    #expect(try names(["tcp:[::]:5070"], advertise: "198.51.100.7", ["::1"]) == ["[::1]:5070 [::1]:5070"])
  }
}
