import Foundation
import Testing

@Suite("apus serve reads its settings again", .timeLimit(.minutes(2)))
struct ReloadServeTests {
  /// What was told to the workers since the start, each datagram in octal, without the number of the configuration.
  private static func told(_ node: Node) -> [String] {
    node.log.split(separator: "\n").filter { $0.hasPrefix("told ") }
      .map { $0.split(separator: " ").dropFirst(2).prefix(1).joined() }
  }

  private static func change(_ sandbox: Sandbox, _ text: String) throws {
    try sandbox.write(try sandbox.read("apus.yaml") + text, to: "apus.yaml")
  }

  @Test("all workers prepare a change, then all are told to serve by it; what waits for a new worker is named")
  func commits() throws {
    let node = try Node(try Sandbox(), more: "workers: 2\n")
    #expect(node.says(" ready: "))
    node.signal(SIGHUP)
    #expect(node.says("reload: apus.yaml is right and nothing in it changed"))
    try Self.change(node.sandbox, "advertise: sip.example.test\nproxy: { max_branches: 3 }\n")
    node.signal(SIGHUP)
    #expect(node.says("reload: apus.yaml is in force"))
    #expect(node.log.contains("INFO reload: in force now: proxy.max_branches\n"))
    #expect(node.log.contains("WARNING reload: in force in each worker from its next start on: advertise\n"))
    for _ in 0..<500 where Self.told(node).count < 4 { usleep(10_000) }
    #expect(Self.told(node).sorted() == ["007", "007", "012", "012"])
    node.signal(SIGTERM)
    #expect(node.end() == 0)
  }

  @Test("one worker that refuses leaves the old settings in force in all, again and again")
  func refuses() throws {
    let node = try Node(try Sandbox(), mode: "refuse", more: "workers: 2\n")
    #expect(node.says(" ready: "))
    try Self.change(node.sandbox, "proxy: { max_branches: 3 }\n")
    for count in 1...2 {
      node.signal(SIGHUP)
      let line = "reload: the old settings stay in force: worker 1 can't serve by the new ones: no such cipher"
      for _ in 0..<1_000 where node.log.components(separatedBy: line).count <= count { usleep(10_000) }
      #expect(node.log.components(separatedBy: line).count == count + 1)
    }
    for _ in 0..<500 where Self.told(node).count < 8 { usleep(10_000) }
    #expect(Self.told(node).sorted() == ["007", "007", "007", "007", "013", "013", "013", "013"])
    node.signal(SIGTERM)
    #expect(node.end() == 0)
  }

  @Test(
    "errors in the file, and changes that only a restart can make, are refused with their place; no worker hears of it")
  func wrong() throws {
    let node = try Node(try Sandbox())
    #expect(node.says(" ready: "))
    let settings = try node.sandbox.read("apus.yaml")
    try Self.change(node.sandbox, "workers: 0\n")
    node.signal(SIGHUP)
    #expect(node.says("ERROR reload: apus.yaml:5:10: workers: '0' is out of range; "))
    try node.sandbox.write(settings + "workers: 2\n", to: "apus.yaml")
    node.signal(SIGHUP)
    #expect(node.says("reload: apus.yaml:5:10: workers: takes effect only when the node is started again; restart"))
    #expect(node.log.components(separatedBy: "the old settings stay in force").count == 3)
    #expect(Self.told(node) == [])
    node.signal(SIGTERM)
    #expect(node.end() == 0)
  }

  @Test(
    "workers take a new certificate, and keep the old one when the new one's key is another's", .timeLimit(.minutes(3)))
  func certificates() throws {
    let sandbox = try Sandbox()
    func make(_ directory: String) throws {
      for words in [
        ["cert", "ca", "--dir", directory, "--name", "Test CA"],
        ["cert", "server", "--dir", directory, "--name", "example.test"],
      ] {
        #expect(try sandbox.run(words).status == 0)
      }
    }
    try make("old")
    try make("new")
    let tls = "tls: { server: { default: { certificate: server.pem, private_key: server.key } } }\n"
    func copy(_ certificate: String, _ key: String) throws {
      try sandbox.write(try sandbox.read("\(certificate)/server.pem"), to: "server.pem")
      try sandbox.write(try sandbox.read("\(key)/server.key"), to: "server.key", rights: 0o600)
    }
    try copy("old", "old")
    let worker = Sandbox.executable.deletingLastPathComponent().appendingPathComponent("apus-worker").path
    let node = try Node(
      sandbox, more: "workers: 2\n" + tls, listen: "tls:127.0.0.1:0", environment: ["APUS_WORKER": worker])
    #expect(node.says(" ready: "))
    let line = try #require(node.log.split(separator: "\n").first { $0.contains("listening on tls:") })
    let port = try #require(line.split(separator: ":").last)
    /// What the node shows: one of the two workers each time.
    func shown() throws -> Set<String> {
      var certificates: Set<String> = []
      for _ in 0..<2 {
        let script =
          "openssl s_client -connect 127.0.0.1:\(port) -servername example.test </dev/null 2>/dev/null | openssl x509"
        certificates.insert(try sandbox.run(["-c", script], tool: "/bin/bash").output)
      }
      return certificates
    }
    func expected(_ directory: String) throws -> Set<String> {
      [try sandbox.run(["x509", "-in", "\(directory)/server.pem"], tool: "/usr/bin/openssl").output]
    }
    #expect(try shown() == expected("old"))
    try copy("new", "old")
    node.signal(SIGHUP)
    #expect(node.says("can't serve by the new ones: tls profile default: "))
    #expect(try shown() == expected("old"))
    try copy("new", "new")
    node.signal(SIGHUP)
    #expect(node.says("reload: apus.yaml is in force"))
    // The order is on its way to both workers.
    for _ in 0..<500 where node.log.components(separatedBy: "serves by new settings").count < 3 { usleep(20_000) }
    #expect(try shown() == expected("new"))
    node.signal(SIGTERM)
    #expect(node.end() == 0)
  }
}
