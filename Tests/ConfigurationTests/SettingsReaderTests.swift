import Testing

@testable import Configuration

@Suite("Reading settings")
struct SettingsReaderTests {
  @Test(
    "a wrong setting is one error with place, problem and remedy",
    arguments: [
      (
        "an unknown key with a likeness", SettingNode.plain([("registrar", map(5, 3, [("min_expire", "60")]))]),
        "apus.yaml:5:3: registrar.min_expire: unknown key; did you mean min_expires?"
      ),
      (
        "two letters swapped", .plain([("workesr", at(9, 10, "2"))]),
        "apus.yaml:1:1: workesr: unknown key; did you mean workers?"
      ),
      (
        "a key at the wrong level", .plain([("min_expires", at(9, 14, "60"))]),
        "apus.yaml:1:1: min_expires: unknown key; there is registrar.min_expires"
      ),
      (
        "dots in a key", .plain([("registrar.min_expires", at(9, 14, "60"))]),
        "apus.yaml:1:1: registrar.min_expires: unknown key; write it as a map, one level for each dot"
      ),
      (
        "a key that resembles none", .plain([("log", map(7, 3, [("destination", "syslog")]))]),
        "apus.yaml:7:3: log.destination: unknown key; known here: level"
      ),
      (
        "a key twice", .plain([("log", map(7, 3, [("level", "info"), ("level", "debug")]))]),
        "apus.yaml:8:3: log.level: the key stands here twice; keep one of them"
      ),
      (
        "out of range", .plain([("registrar", map(5, 3, [("max_contacts", at(5, 17, "0"))]))]),
        "apus.yaml:5:17: registrar.max_contacts: '0' is out of range; give a whole number from 1 to 1000"
      ),
      (
        "a count that is none", .plain([("registrar", map(5, 3, [("max_contacts", at(5, 17, "ten"))]))]),
        "apus.yaml:5:17: registrar.max_contacts: 'ten' is not a whole number; give a whole number from 1 to 1000"
      ),
      (
        "a time with an unknown unit", .plain([("timeouts", map(5, 3, [("send", at(5, 9, "10sec"))]))]),
        "apus.yaml:5:9: timeouts.send: '10sec' is not a time; give a time such as 10 (seconds), 500ms, 5m or 1h, "
          + "from 100ms to 1h"
      ),
      (
        "a word of no choice", .plain([("log", map(5, 3, [("level", at(5, 10, "loud"))]))]),
        "apus.yaml:5:10: log.level: 'loud' is not one of the words known here; "
          + "give trace, debug, info, notice, warning, error or critical"
      ),
      (
        "neither yes nor no", .plain([("authentication", map(5, 3, [("required", at(5, 13, "maybe"))]))]),
        "apus.yaml:5:13: authentication.required: 'maybe' is neither yes nor no; give yes or no"
      ),
      (
        "a list for a value", .plain([("node", .sequence([], Position(line: 3, column: 7)))]),
        "apus.yaml:3:7: node: a list stands here; give a name of letters, digits, '.', '_' and '-'"
      ),
      (
        "a value for a section", .plain([("registrar", at(3, 12, "yes"))]),
        "apus.yaml:3:12: registrar: a value stands here; "
          + "give a map with default_expires, min_expires, max_expires, max_contacts, expires_spread, "
          + "flow_timer, flow_grace, service_route, contacts"
      ),
      (
        "a key without a value", .plain([("advertise", at(3, 11, ""))]),
        "apus.yaml:3:11: advertise: nothing is given; give a host name or an IP address, or drop the key"
      ),
      (
        "a host that is none", .plain([("advertise", at(3, 11, "sip_1.example.test"))]),
        "apus.yaml:3:11: advertise: 'sip_1.example.test' is not a host name or an IP address; "
          + "give a host name or an IP address"
      ),
      (
        "rules, which this version does not have", .plain([("routes", .sequence(["a"], Position(line: 3, column: 9)))]),
        "apus.yaml:3:9: routes: not available yet in this version; leave it out, or write []"
      ),
      (
        "settings that contradict each other",
        .plain([("registrar", map(5, 3, [("min_expires", at(5, 16, "7200"))]))]),
        "apus.yaml:5:16: registrar.min_expires: default_expires (3600s) is less than min_expires (7200s); "
          + "raise the one or lower the other"
      ),
    ] as [(String, SettingNode, String)])
  func reportsOne(_ what: String, _ node: SettingNode, _ expected: String) {
    #expect(errors(node) == [expected], "\(what)")
  }

  @Test("all errors of a file are reported, not just the first")
  func reportsAll() {
    let node = map(
      1, 1,
      [
        ("domains", ["example.test"]), ("listen", .sequence([at(2, 10, "tcp:localhost")], .start)),
        ("log", map(3, 3, [("level", at(3, 10, "x"))])), ("limits", map(4, 3, [("message_size", at(4, 17, "64k"))])),
      ])
    #expect(
      errors(node) == [
        "apus.yaml:2:10: listen[0].address: 'tcp:localhost' is not an address to listen on; "
          + "write transport:address:port, such as tls:0.0.0.0:5061, tcp:[::1]:5060 or udp:192.0.2.1",
        "apus.yaml:3:10: log.level: 'x' is not one of the words known here; "
          + "give trace, debug, info, notice, warning, error or critical",
        "apus.yaml:4:17: limits.message_size: '64k' is out of range; give bytes, or with k or m, from 1300 to 65535",
      ])
  }

  @Test("an empty file lacks its domains and the certificate for its TLS listener")
  func emptyFile() {
    #expect(
      errors("") == [
        "apus.yaml:1:1: domains: is missing; add domains: [example.test]",
        "apus.yaml:1:1: listen[0]: there is no tls.server.default for tls:0.0.0.0:5061; "
          + "add it with certificate and private_key (apus cert server makes them), or listen without tls",
      ])
  }

  @Test("a section with nothing but comments below it is empty, not wrong")
  func emptySection() {
    #expect(errors(.plain([("registrar", ""), ("tls", ["client": ["default": ""]])])).isEmpty)
  }

  @Test("a list is refused where it is empty, holds a name twice or something that is no name")
  func lists() {
    #expect(errors(["domains": [], "listen": ["udp:127.0.0.1"]]).count == 1)
    #expect(errors(["domains": ["a.test", "A.test"], "listen": ["udp:127.0.0.1"]]).count == 1)
    #expect(errors(["domains": ["a.test", ["b"]], "listen": ["udp:127.0.0.1"]]).count == 1)
  }

  @Test(
    "times are read with and without unit",
    arguments: [
      ("10", 10_000), ("500ms", 500), ("10s", 10_000), ("5m", 300_000), ("1h", 3_600_000), ("2d", 172_800_000),
      ("", nil), ("s", nil), ("-1", nil), ("1.5s", nil), ("1 s", nil), ("99999999999999999999", nil),
      ("9223372036854775807h", nil),
    ] as [(String, Int?)])
  func times(_ text: String, _ milliseconds: Int?) {
    #expect(SettingType.readMilliseconds(text) == milliseconds)
  }

  @Test(
    "sizes are read with and without unit",
    arguments: [
      ("65535", 65_535), ("64k", 65_536), ("1m", 1_048_576), ("1M", 1_048_576), ("1g", nil), ("k", nil), ("", nil),
      ("9223372036854775807k", nil),
    ] as [(String, Int?)])
  func sizes(_ text: String, _ bytes: Int?) {
    #expect(SettingType.readSize(text) == bytes)
  }

  @Test("truth has six words", arguments: [("yes", true), ("On", true), ("true", true), ("no", false), ("OFF", false)])
  func booleans(_ text: String, _ value: Bool) throws {
    #expect(try SettingType.boolean.read(text) == .boolean(value))
  }

  @Test("a name of another program is understood, with a note")
  func formerNames() {
    let tls = map(
      3, 3,
      [
        (
          "server",
          map(4, 5, [("default", map(5, 7, [("tls_certificate", "server.pem"), ("private_key", "server.key")]))])
        )
      ])
    let resolved = resolve(.plain([("tls", tls)]), files: pemFiles)
    #expect(resolved.configuration?.tlsServer["default"]?.pairs.first?.certificatePEM == pemFiles["server.pem"])
    #expect(
      resolved.notes.map(\.description).contains(
        "apus.yaml:5:7: tls.server.default.tls_certificate: an older name; write certificate"))
  }

  @Test("the present and the former name of a setting together are one key twice")
  func formerNameTwice() {
    let profile = map(
      5, 7, [("certificate", "server.pem"), ("tls_certificate", "server.pem"), ("private_key", "server.key")])
    #expect(
      errors(.plain([("tls", ["server": ["default": profile]])]), files: pemFiles) == [
        "apus.yaml:6:7: tls.server.default.certificate: the key stands here twice; keep one of them"
      ])
  }

  @Test("what is not available yet is read, ignored and noted")
  func notYet() {
    let resolved = resolve(
      .plain([
        ("cluster", map(4, 3, [("link", at(4, 9, "10.0.0.1:5070"))])), ("routes", []),
        ("admin", ["http": "127.0.0.1:9060"]),
      ]))
    #expect(resolved.errors.isEmpty)
    #expect(
      resolved.notes.first { $0.key == "cluster.link" }?.description
        == "apus.yaml:4:9: cluster.link: not available yet, ignored; this version runs a single node")
    #expect(resolved.notes.contains { $0.key == "admin.http" })
  }
}

@Suite("The settings table")
struct SettingsTableTests {
  @Test("every key stands there once, and no former name hides a present one")
  func unique() {
    let keys = SettingsTable.all.map(\.key)
    #expect(Set(keys).count == keys.count)
    for setting in SettingsTable.all {
      let siblings = SettingsTable.all.filter { $0.path.dropLast() == setting.path.dropLast() }
      for former in setting.formerNames { #expect(!siblings.contains { $0.path.last == former }, "\(former)") }
    }
  }

  @Test("every setting is used where the configuration is made, and every default can be read")
  func consulted() {
    let full: SettingNode = [
      "domains": ["example.test": ["aliases": ["alias.test"]]], "listen": ["tls:127.0.0.1"], "redis": "unix:/x",
      "cluster": ["link": "10.0.0.1:5070"], "admin": ["http": "127.0.0.1:9060", "control_socket": "control.sock"],
      "routes": [], "tls": ["server": ["default": ["certificate": "server.pem", "private_key": "server.key"]]],
      "registrar": ["contacts": [["address": "sip:1@example.test", "contact": "sip:192.0.2.7"]]],
      "identity": ["certificates": [["match": "cn:x"]]],
    ]
    let resolved = resolve(full, files: pemFiles)
    #expect(resolved.errors.isEmpty)
    #expect(
      Set(SettingsTable.all.map(\.key)).subtracting(resolved.consulted) == [
        "domains", "listen", "registrar.contacts", "identity.certificates",
      ])
    for setting in SettingsTable.all {
      guard case .written(let text) = setting.standard, !text.hasPrefix("[") else { continue }
      #expect(throws: Never.self, "\(setting.key)") { try setting.type.read(text) }
    }
  }
}
