import Structures
import Testing

@testable import Configuration

private func redis(
  _ node: SettingNode, files: [String: [UInt8]] = [:]
) throws -> NodeConfiguration.Redis {
  let resolved = resolve(.plain([("redis", node)]), files: files)
  #expect(resolved.errors.isEmpty && !resolved.notes.contains { $0.key.hasPrefix("redis") }, "\(resolved.errors)")
  return try #require(resolved.configuration).redis
}

private func server(_ host: String, _ address: String, _ port: UInt16) throws -> NodeConfiguration.Redis.Server {
  .init(host: host, address: SocketAddress(try #require(IPAddress(address)), port: port))
}

private let hosts = [
  "/etc/hosts": Array("127.0.0.1 localhost\n# 10.0.0.1 no.test\n10.0.0.9\tRedis.test r # ours\n".utf8)
]

@Suite("Where registrations are kept")
struct RedisSettingsTests {
  @Test("without a word it is a server of the node's own, with every default")
  func own() throws {
    let made = try #require(resolve(.plain()).configuration).redis
    #expect(made.isOwnServer)
    #expect(made.prefix == "apus:" && made.timeout == .seconds(2) && made.database == 0)
    #expect(!made.usesTLS && made.verifyCertificate && made.user == nil && made.password == nil)
  }

  @Test("a server is named by an address, a name of the host's own file, or as localhost")
  func servers() throws {
    #expect(try redis("redis://10.0.0.9").target == .server(server("10.0.0.9", "10.0.0.9", 6379)))
    #expect(try redis("redis://[2001:db8::9]:7000/").target == .server(server("[2001:db8::9]", "2001:db8::9", 7000)))
    #expect(try redis("redis://localhost").target == .server(server("localhost", "127.0.0.1", 6379)))
    #expect(try redis("redis://redis.test", files: hosts).target == .server(server("redis.test", "10.0.0.9", 6379)))
    #expect(try redis("redis://R", files: hosts).target == .server(server("r", "10.0.0.9", 6379)))
  }

  @Test("a url has credentials with escapes and a database where they are given")
  func url() throws {
    let made = try redis("rediss://al%3Aice:p%40ss@10.0.0.9:6390/7")
    #expect(made.usesTLS && made.database == 7)
    #expect(made.user == "al:ice" && made.password == "p@ss")
    let bare = try redis("redis://:sesame@10.0.0.9")
    #expect(bare.user == nil && bare.password == "sesame" && !bare.usesTLS)
  }

  @Test(
    "a Unix socket has a path, from the directory of the file where it is relative, and perhaps a database",
    arguments: [
      ("unix:/run/redis.sock", "/run/redis.sock", 0), ("unix:///run/redis.sock?db=4", "/run/redis.sock", 4),
      ("unix:run/redis.sock?db=0", "run/redis.sock", 0),
    ])
  func unix(text: String, path: String, database: Int) throws {
    let made = try redis(at(1, 1, text))
    #expect(made.target == .unix(path) && made.database == database)
  }

  @Test("sentinels have ports of their own and the name of their master")
  func sentinels() throws {
    let made = try redis("sentinel://a:b@10.0.0.1,10.0.0.2:7000,[::1]/mymaster/2")
    let sentinels = [
      try server("10.0.0.1", "10.0.0.1", 26379), try server("10.0.0.2", "10.0.0.2", 7000),
      try server("[::1]", "::1", 26379),
    ]
    #expect(made.target == .sentinels(sentinels, master: "mymaster"))
    #expect(made.user == "a" && made.password == "b" && made.database == 2)
  }

  @Test("the map says the same and more")
  func long() throws {
    let made = try redis(
      [
        "url": "sentinel://10.0.0.1/m", "user": "apus", "password_file": "redis.password", "database": "5",
        "prefix": "sip:",
        "timeout": "750ms", "tls": "yes", "ca_list": "server.pem", "verify_certificate": "no", "sentinel_user": "watch",
        "sentinel_password": "wing",
      ], files: pemFiles.merging(["redis.password": Array("sesame\n".utf8)]) { first, _ in first })
    #expect(made.user == "apus" && made.password == "sesame" && made.database == 5 && made.prefix == "sip:")
    #expect(made.timeout == .milliseconds(750) && made.usesTLS && !made.verifyCertificate)
    #expect(made.caListPEM == pemFiles["server.pem"])
    #expect(made.sentinelUser == "watch" && made.sentinelPassword == "wing")
    #expect(!"\(made) \(String(reflecting: made))".contains("sesame"))
    #expect(try redis(["prefix": "sip:"]).isOwnServer)
  }

  @Test(
    "a bad url is an error with its place and the forms that are known, and its password is not printed",
    arguments: [
      ("10.0.0.9:6379", "'10.0.0.9:6379' has none of the forms known here"),
      ("http://10.0.0.9", "'http://10.0.0.9' has none of the forms known here"),
      ("redis://", "'redis://' has '' where a host stands"),
      ("redis://a:secret@b:0", "'redis://…@b:0' has 'b:0' where a host stands"),
      ("redis://10.0.0.9:99999", "'redis://10.0.0.9:99999' has '10.0.0.9:99999' where a host stands"),
      ("redis://10.0.0.9/x", "'redis://10.0.0.9/x' has 'x' where the number of a database stands"),
      ("redis://10.0.0.9/-1", "'redis://10.0.0.9/-1' has '-1' where the number of a database stands"),
      ("redis://10.0.0.9/0/1", "'redis://10.0.0.9/0/1' has too many parts behind the host"),
      ("redis://a:%zz@10.0.0.9", "'redis://…@10.0.0.9' has a bad % escape before the @"),
      ("unix:", "'unix:' names no socket"), ("unix:/", "'unix:/' names no socket"),
      ("unix:/x?user=a", "'unix:/x?user=a' may have ?db= and nothing else behind the path"),
      ("sentinel://10.0.0.1", "'sentinel://10.0.0.1' lacks the name of the master behind the sentinels"),
      ("sentinel://10.0.0.1/", "'sentinel://10.0.0.1/' lacks the name of the master behind the sentinels"),
      ("sentinel://10.0.0.1,,10.0.0.2/m", "'sentinel://10.0.0.1,,10.0.0.2/m' has '' where a host stands"),
    ])
  func badURL(text: String, problem: String) {
    let forms =
      "write redis://host:port/database, rediss:// for TLS, unix:/path?db=database or "
      + "sentinel://host:port,host:port/master/database"
    #expect(errors(.plain([("redis", at(4, 8, text))])) == ["apus.yaml:4:8: redis.url: \(problem); \(forms)"])
    #expect(
      errors(.plain([("redis", map(4, 3, [("url", at(5, 8, text))]))])) == [
        "apus.yaml:5:8: redis.url: \(problem); \(forms)"
      ])
  }

  @Test(
    "what can't be true together is an error",
    arguments: [
      (["url": "redis://a:b@10.0.0.9", "password": "c"], "redis.password: the url has one already"),
      (["url": "redis://a:b@10.0.0.9", "user": "a"], "redis.user: the url has one already"),
      (["url": "redis://10.0.0.9/1", "database": "2"], "redis.database: the url says 1"),
      (["url": "redis://a@10.0.0.9"], "redis.url: there is a user but no password"),
      (["user": "a"], "redis.user: there is a user but no password"),
      (["password": "a", "password_file": "p"], "redis.password_file: password stands beside it"),
      (["password_file": "empty"], "redis.password_file: the first line of the file is no password"),
      (["sentinel_user": "a"], "redis.sentinel_user: it has no password"),
      (["url": "unix:/x", "tls": "yes"], "redis.tls: a Unix socket has no TLS"),
      (["url": "redis://no.test"], "redis.url: no.test stands not in /etc/hosts"),
      (["database": "70000"], "redis.database: '70000' is out of range"),
      (["urll": "unix:/x"], "redis.urll: unknown key"),
    ] as [(SettingNode, String)])
  func contradictions(node: SettingNode, problem: String) {
    let files = hosts.merging(["p": Array("x".utf8), "empty": Array("\n".utf8)]) { first, _ in first }
    let found = errors(.plain([("redis", node)]), files: files)
    #expect(found.count == 1)
    #expect(found.first?.contains(": \(problem); ") == true, "\(found)")
  }

  @Test("a path that the kernel can't take is an error")
  func longPath() {
    let found = errors(
      .plain([("redis", .scalar(text: "unix:/" + String(repeating: "x", count: 107), wasQuoted: false, .start))]))
    #expect(found == ["apus.yaml:1:1: redis.url: the path of the socket has more than 107 bytes; use a shorter one"])
  }
}
