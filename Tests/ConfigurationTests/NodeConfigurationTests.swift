import Structures
import Testing

@testable import Configuration

@Suite("The configuration of a node")
struct NodeConfigurationTests {
  @Test("what is not given has the default of the table")
  func defaults() throws {
    let made = try #require(resolve(.plain()).configuration)
    #expect(made.node == "host7")
    #expect(made.advertise == "127.0.0.1")
    #expect(made.clusterName == "127.0.0.1")
    #expect(made.clusterSecret == Array(repeating: 9, count: 32))
    #expect(made.domains == [.init(name: "example.test")])
    #expect(made.workers == 4)
    #expect(made.stateDirectory == "/var/lib/apus")
    #expect(
      made.registrar
        == .init(
          defaultExpires: 3600, minExpires: 60, maxExpires: 86400, maxContacts: 10, expiresSpread: 10, flowTimer: 120,
          tellsServiceRoute: true, contacts: []))
    #expect(made.authentication.isRequired)
    #expect(made.authentication.algorithms == [.md5, .sha256])
    #expect(made.authentication.nonceLifetime == .seconds(300))
    #expect(made.proxy.timerT1 == .milliseconds(500))
    #expect(made.proxy.timerC == .seconds(181))
    #expect(made.limits.messageSize == 65_535)
    #expect(made.limits.headerSize == 32_768)
    #expect(made.timeouts.idle == .seconds(3700))
    #expect(made.timeouts.unacknowledged == .seconds(3))
    #expect(
      made.keepAlive == .init(udpInterval: 30, udpClients: .nat, method: .options, removeAfter: 0, flowGrace: 30))
    #expect(made.tlsClient == ["default": TLSClientProfile()])
    #expect(made.log.level == .info)
    #expect(made.detach == .auto)
    #expect(made.identity == .init(trusted: [], isAsserted: true, isShownToUsers: true, stripped: []))
  }

  @Test("without a list of listeners, TLS, TCP and UDP are served on all addresses at their ports")
  func defaultListeners() throws {
    let made = try NodeConfiguration(
      settings: [
        "domains": ["example.test"],
        "tls": ["server": ["default": ["certificate": "server.pem", "private_key": "server.key"]]],
      ], files: pemFiles)
    let any = IPAddress(v4: 0)
    #expect(
      made.listen == [
        .init(transport: .tls, address: SocketAddress(any, port: 5061)),
        .init(transport: .tcp, address: SocketAddress(any, port: 5060)),
        .init(transport: .udp, address: SocketAddress(any, port: 5060)),
      ])
    #expect(made.advertise == "localhost")
  }

  @Test(
    "a listener is transport, address and port, which may be left out",
    arguments: [
      ("tls:0.0.0.0:5071", .tls, "0.0.0.0:5071"), ("tls:[::]", .tls, "[::]:5061"),
      ("tcp:[::1]:5070", .tcp, "[::1]:5070"),
      ("UDP:192.0.2.1", .udp, "192.0.2.1:5060"), ("tcp:127.0.0.1:0", .tcp, "127.0.0.1:0"), ("tls", nil, ""),
      ("sctp:0.0.0.0", nil, ""), ("tls:::1", nil, ""), ("tls:[::1", nil, ""), ("tls:[127.0.0.1]", nil, ""),
      ("tcp:127.0.0.1:70000", nil, ""), ("tcp:127.0.0.1:", nil, ""), ("tcp:127.0.0.1:5060x", nil, ""),
      ("tls:[::1]5061", nil, ""),
    ] as [(String, TransportProtocol?, String)])
  func listeners(_ text: String, _ transport: TransportProtocol?, _ address: String) {
    let read = TextRule.readListener(text)
    #expect(read?.transport == transport)
    #expect(read?.address.description ?? "" == address)
  }

  @Test("listeners may be maps with a profile and a name of their own")
  func listenerMaps() throws {
    let made = try NodeConfiguration(
      settings: [
        "domains": ["example.test"],
        "listen": [
          "udp:127.0.0.1:5060",
          ["address": "tls:[::1]:5061", "profile": "inner", "advertise": "SIP.example.test:5063"],
        ],
        "tls": [
          "server": ["inner": ["certificate": "server.pem", "private_key": "server.key", "server_name": "a.test"]]
        ],
      ], files: pemFiles)
    #expect(
      made.listen[1]
        == .init(
          transport: .tls, address: SocketAddress(IPAddress(v6: 0, 1), port: 5061), advertise: "sip.example.test:5063",
          profile: "inner"))
    #expect(made.tlsServer["inner"]?.serverNames == ["a.test"])
  }

  @Test("two listeners on one port are an error; TCP and UDP on one port are not")
  func rivals() {
    let domains: SettingNode = ["example.test"]
    #expect(errors(["domains": domains, "listen": ["tcp:127.0.0.1:5060", "udp:127.0.0.1:5060"]]).isEmpty)
    #expect(
      errors(["domains": domains, "listen": ["tcp:127.0.0.1:5060", "tcp:127.0.0.1"]]) == [
        "apus.yaml:1:1: listen[1]: tcp:127.0.0.1:5060 stands in the list already; give it another port"
      ])
  }

  @Test("a listener may not name a TLS profile that does not exist")
  func missingProfile() {
    let item = map(4, 7, [("address", at(4, 16, "tls:127.0.0.1")), ("profile", at(5, 16, "outer"))])
    #expect(
      errors(["domains": ["example.test"], "listen": [item]]) == [
        "apus.yaml:5:16: listen[0]: there is no tls.server.outer for tls:127.0.0.1; "
          + "add it with certificate and private_key (apus cert server makes them), or listen without tls"
      ])
  }

  @Test("domains have aliases, a realm and algorithms; no name belongs to two of them")
  func domains() throws {
    let made = try NodeConfiguration(
      settings: [
        "domains": [
          "Example.TEST": ["aliases": ["127.0.0.1", "::1"], "realm": "the realm", "algorithms": ["sha-256"]],
          "b.test": "",
        ],
        "listen": ["udp:127.0.0.1"],
      ])
    #expect(
      made.domains == [
        .init(name: "example.test", aliases: ["127.0.0.1", "[::1]"], realm: "the realm", algorithms: [.sha256]),
        .init(name: "b.test"),
      ])
    #expect(
      errors(["domains": ["a.test": ["aliases": ["b.test"]], "b.test": ""], "listen": ["udp:127.0.0.1"]]).count == 1)
  }

  @Test("paths start at the directory of the file")
  func paths() {
    let tls: SettingNode = ["server": ["default": ["certificate": "server.pem", "private_key": "/keys/server.key"]]]
    let node = SettingNode.plain([("tls", tls), ("state_directory", "state")])
    let files = [
      "/etc/apus/server.pem": pemFiles["server.pem"] ?? [], "/keys/server.key": pemFiles["server.key"] ?? [],
    ]
    let resolved = resolve(node, file: "/etc/apus/apus.yaml", files: files)
    #expect(resolved.errors.isEmpty)
    #expect(resolved.configuration?.stateDirectory == "/etc/apus/state")
  }

  @Test("a file that cannot be read, or is not what it should be, is an error at the place where it is named")
  func badFiles() {
    func tls(_ certificate: String, _ key: String) -> SettingNode {
      .plain([
        (
          "tls",
          [
            "server": [
              "default": map(5, 7, [("certificate", at(5, 20, certificate)), ("private_key", at(6, 20, key))])
            ]
          ]
        )
      ])
    }
    #expect(
      errors(tls("none.pem", "server.key"), files: pemFiles) == [
        "apus.yaml:5:20: tls.server.default.certificate: none.pem: the file is not in the bundle; restart the node"
      ])
    #expect(
      errors(tls("server.key", "server.pem"), files: pemFiles).map { String($0.prefix(22)) } == [
        "apus.yaml:5:20: tls.se", "apus.yaml:6:20: tls.se",
      ])
    let locked = pemFiles.merging(["locked.key": Array("-----BEGIN ENCRYPTED PRIVATE KEY-----".utf8)]) { $1 }
    #expect(
      errors(tls("server.pem", "locked.key"), files: locked) == [
        "apus.yaml:6:20: tls.server.default.private_key: the private key has a pass phrase; "
          + "openssl pkey -in OLD -out NEW takes it off"
      ])
  }

  @Test("a certificate and a key for outgoing connections come together")
  func clientPairs() {
    let node = SettingNode.plain([
      ("tls", ["client": ["default": map(5, 7, [("certificate", at(5, 20, "server.pem"))])]])
    ])
    #expect(
      errors(node, files: pemFiles) == [
        "apus.yaml:5:20: tls.client.default.certificate: it has no private_key beside it; give both or none"
      ])
  }

  @Test("the cluster's secret is the file's contents without the line's end, 16 bytes at least")
  func secret() {
    let node = SettingNode.plain([("cluster", map(4, 3, [("secret_file", at(4, 16, "key"))]))])
    let resolved = resolve(node, files: ["key": Array("0123456789abcdef\r\n".utf8)])
    #expect(resolved.configuration?.clusterSecret == Array("0123456789abcdef".utf8))
    #expect(
      errors(node, files: ["key": Array("short\n".utf8)]) == [
        "apus.yaml:4:16: cluster.secret_file: the secret has 5 bytes; "
          + "16 is the least; openssl rand -hex 32 makes a good one"
      ])
    #expect(errors(node, files: ["key": []]).count == 1)
  }

  @Test("auto stands for as many workers as the host has cores; a number for itself")
  func workers() {
    #expect(resolve(.plain([("workers", "2")])).configuration?.workers == 2)
    #expect(resolve(.plain([("workers", "auto")])).configuration?.workers == 4)
    #expect(resolve(.plain()).configuration?.workers == 4)
  }

  @Test("0 switches off what may be switched off, and only that")
  func zero() {
    let made = resolve(.plain([("timeouts", ["idle": "0", "tcp_user_timeout": "off", "tcp_keepalive": "0s"])]))
    #expect(made.configuration?.timeouts.idle == nil)
    #expect(made.configuration?.timeouts.tcpUserTimeout == nil)
    #expect(made.configuration?.timeouts.tcpKeepalive == nil)
    #expect(errors(.plain([("timeouts", ["handshake": "0"])])).count == 1)
    #expect(resolve(.plain([("registrar", ["max_expires": "0"])])).configuration?.registrar.maxExpires == 0)
  }
}
