import RedisLocation
import Structures
import TLSEngine
import Testing

/// A server that takes TLS only, with a certificate for localhost of an authority of its own.
private struct SecureServer {
  let server: RedisServerProcess
  let authority: CertificateAuthority

  init() throws {
    authority = try CertificateAuthority(name: "Redis tests", days: 1)
    let pair = try authority.makeServerCertificate(names: ["localhost", "127.0.0.1"], days: 1)
    let directory = try RedisServerProcess.makeDirectory()
    try RedisServerProcess.write(pair.certificate, to: "\(directory)/server.pem")
    try RedisServerProcess.write(pair.privateKey, to: "\(directory)/server.key")
    try RedisServerProcess.write(authority.pair.certificate, to: "\(directory)/ca.pem")
    let port = try RedisServerProcess.freePort()
    server = try RedisServerProcess(
      [
        "--tls-port", "\(port)", "--tls-cert-file", "\(directory)/server.pem", "--tls-key-file",
        "\(directory)/server.key", "--tls-ca-cert-file", "\(directory)/ca.pem", "--tls-auth-clients", "no",
      ], directory: directory)
    self.port = port
  }

  let port: UInt16

  func settings(name: String?, authorities: [UInt8]? = nil) -> RedisSettings {
    let address = SocketAddress(IPAddress(v4: 0x7F00_0001), port: port)
    var settings = RedisSettings(target: .server(.address(address, name: name)))
    var tls = TLSSettings()
    tls.authorities = authorities ?? authority.pair.certificate
    settings.tls = tls
    return settings
  }
}

@Suite(
  "A client of a Redis server over TLS", .enabled(if: RedisServerProcess.isInstalled, "redis-server is not installed"))
struct RedisTLSTests {
  @Test("a server is reached by its name or its address, and large values pass both ways")
  func verified() throws {
    let secure = try SecureServer()
    for name in ["localhost", nil] {
      let bench = try RedisBench(secure.settings(name: name), channels: ["apus:news"])
      #expect(try bench.ask("PING") == .text(octets("PONG")))
      let value = String(repeating: "0123456789abcdef", count: 1 << 17)
      #expect(try bench.ask("SET", "large", value)?.isOK == true)
      #expect(try bench.ask("GET", "large") == .bulk(octets(value)))
      #expect(try bench.run { bench.client.health.isSubscribed })
      #expect(try bench.ask("PUBLISH", "apus:news", "one") == .integer(1))
      #expect(try bench.run { bench.recorder.published.count == 1 })
    }
  }

  @Test("many commands of one turn are answered in their order over TLS")
  func pipeline() throws {
    let secure = try SecureServer()
    let bench = try RedisBench(secure.settings(name: "localhost"))
    #expect(try bench.run { bench.client.isAvailable })
    for token: UInt64 in 1...5_000 { #expect(bench.send("ECHO", "\(token)", token: token) == .accepted) }
    #expect(try bench.run { bench.recorder.replies.count == 5_000 })
    #expect(bench.recorder.replies.allSatisfy { $0.reply == .bulk(octets("\($0.token)")) })
    #expect(bench.recorder.replies.map(\.token) == Array(1...5_000))
  }

  @Test("a server whose certificate is for another name, or of another authority, is not used")
  func refused() throws {
    let secure = try SecureServer()
    let wrongName = try RedisBench(secure.settings(name: "redis.example.test"))
    #expect(try wrongName.run { wrongName.client.health.trouble.description.contains("not for redis.example.test") })
    #expect(!wrongName.client.isAvailable)
    let other = try CertificateAuthority(name: "Another", days: 1)
    let wrongAuthority = try RedisBench(secure.settings(name: "localhost", authorities: other.pair.certificate))
    #expect(try wrongAuthority.run { wrongAuthority.client.health.trouble.description.hasPrefix("TLS: ") })
    #expect(!wrongAuthority.client.isAvailable)
  }

  @Test("a server that speaks no TLS is reported")
  func plain() throws {
    let port = try RedisServerProcess.freePort()
    let server = try RedisServerProcess(port: port)
    var settings = RedisSettings(
      target: .server(.address(SocketAddress(IPAddress(v4: 0x7F00_0001), port: server.port))))
    #expect(try RedisBench(settings).ask("PING") == .text(octets("PONG")))
    settings.tls = TLSSettings()
    let bench = try RedisBench(settings)
    #expect(try bench.run { bench.client.health.counters.connections > 1 })
    #expect(!bench.client.isAvailable)
  }
}
