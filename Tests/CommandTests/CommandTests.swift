import Foundation
import Testing

@Suite("apus cert")
struct CertificateCommandTests {
  @Test("server and client certificates verify against the authority and carry every name twice, RFC 5922 §7.1")
  func issues() throws {
    let sandbox = try Sandbox()
    #expect(try sandbox.run(["cert", "ca", "--dir", "pki"]).status == 0)
    let server = ["cert", "server", "--dir", "pki", "--name", "example.test", "--name", "127.0.0.1"]
    #expect(try sandbox.run(server).status == 0)
    #expect(try sandbox.run(["cert", "client", "--dir", "pki", "--name", "alice@example.test", "--rsa"]).status == 0)
    let openssl = "/usr/bin/openssl"
    let verify = ["verify", "-CAfile", "pki/ca.pem", "pki/server.pem", "pki/alice@example.test.pem"]
    #expect(try sandbox.run(verify, tool: openssl).status == 0)
    let text = try sandbox.run(["x509", "-in", "pki/server.pem", "-noout", "-text"], tool: openssl).output
    #expect(
      text.contains("URI:sip:example.test, DNS:example.test, URI:sip:127.0.0.1, IP Address:127.0.0.1"))
    #expect(text.contains("prime256v1"))
    let client = try sandbox.run(["x509", "-in", "pki/alice@example.test.pem", "-noout", "-text"], tool: openssl).output
    #expect(client.contains("URI:sip:alice@example.test"))
    #expect(client.contains("rsaEncryption"))
  }

  @Test("private keys are for their owner alone, and nothing is overwritten unless forced")
  func keeps() throws {
    let sandbox = try Sandbox()
    _ = try sandbox.run(["cert", "ca", "--dir", "pki"])
    #expect(try sandbox.rights("pki/ca.key") == 0o600)
    let before = try sandbox.read("pki/ca.key")
    let again = try sandbox.run(["cert", "ca", "--dir", "pki"])
    #expect(again.status == 1)
    #expect(again.errors.contains("pki/ca.pem exists; --force overwrites it"))
    #expect(try sandbox.read("pki/ca.key") == before)
    #expect(try sandbox.run(["cert", "ca", "--dir", "pki", "--force"]).status == 0)
    #expect(try sandbox.read("pki/ca.key") != before)
  }

  @Test("without an authority, or with a name that is none, it says so")
  func refuses() throws {
    let sandbox = try Sandbox()
    let orphan = try sandbox.run(["cert", "server", "--dir", "pki", "--name", "example.test"])
    #expect(orphan.status == 1)
    #expect(orphan.errors.contains("apus cert ca --dir pki makes an authority"))
    #expect(try sandbox.run(["cert", "server", "--dir", "pki", "--name", "not a host"]).status == 2)
    #expect(try sandbox.run(["cert", "client", "--dir", "pki", "--name", "alice"]).status == 2)
  }
}

@Suite("apus user")
struct UserCommandTests {
  @Test("a user's hashes are those of user, realm and password, RFC 7616 §3.4.2")
  func adds() throws {
    let sandbox = try Sandbox()
    let user = ["--file", "users.yaml", "--domain", "example.test", "alice"]
    #expect(try sandbox.run(["user", "add"] + user, input: "secret\n").status == 0)
    let file = try sandbox.read("users.yaml")
    // The first by md5sum, the second by sha256sum, the third by openssl dgst -sha512-256.
    #expect(file.contains("MD5: \"4842575394a190ef4c973253ba19099c\""))
    #expect(file.contains("SHA-256: \"cc0140d97f2b011fee9f86aa26b63fc472268267b652dcea0675e15d9da92468\""))
    #expect(file.contains("SHA-512-256: \"5fed66a4a7c351762a1e82edeb6a21abc5c66b9e8180686853b8d19ce638c9a5\""))
    #expect(!file.contains("secret\n") && !file.contains(": secret"))
    #expect(try sandbox.rights("users.yaml") == 0o600)
    #expect(try sandbox.run(["user", "add"] + user, input: "other\n").status == 1)
    #expect(try sandbox.read("users.yaml") == file)
  }

  @Test("others stay as they are when one is changed or removed")
  func keepsOthers() throws {
    let sandbox = try Sandbox()
    func user(_ command: String, _ name: String, _ more: [String] = []) throws -> Int32 {
      let words = ["user", command, "--file", "u.yaml", "--domain", "example.test"] + more + [name]
      return try sandbox.run(words, input: "secret\n").status
    }
    #expect(try user("add", "alice", ["--algorithm", "MD5", "--realm", "r"]) == 0)
    #expect(try user("add", "bob") == 0)
    let before = try sandbox.read("u.yaml")
    #expect(before.contains("  alice:\n    realm: r\n    MD5: "))
    #expect(try user("passwd", "alice") == 0)
    #expect(try sandbox.read("u.yaml") == before)
    #expect(try user("passwd", "alice", ["--realm", "s"]) == 0)
    #expect(try sandbox.read("u.yaml") != before)
    #expect(try user("rm", "bob") == 0)
    #expect(try user("rm", "bob") == 1)
    let list = try sandbox.run(["user", "list", "--file", "u.yaml", "--json"])
    let rows = try #require(try JSONSerialization.jsonObject(with: Data(list.output.utf8)) as? [[String: Any]])
    #expect(rows.count == 1)
    #expect(rows.first?["user"] as? String == "alice")
    #expect(rows.first?["algorithms"] as? [String] == ["MD5"])
  }

  @Test("a file's users are exported as commands for redis-cli")
  func exports() throws {
    let sandbox = try Sandbox()
    let user = ["--file", "users.yaml", "--domain", "example.test", "--algorithm", "MD5", "alice"]
    #expect(try sandbox.run(["user", "add"] + user, input: "secret\n").status == 0)
    let export = try sandbox.run(["user", "export", "--file", "users.yaml", "--prefix", "a:"])
    #expect(export.output == "SET \"a:u:alice@example.test\" \"1 MD5=4842575394a190ef4c973253ba19099c\"\n")
  }

  @Test("a file with errors is left alone")
  func keepsBroken() throws {
    let sandbox = try Sandbox()
    try sandbox.write("example.test:\n  alice: { MD5: 00 }\n", to: "u.yaml")
    let outcome = try sandbox.run(["user", "add", "--file", "u.yaml", "--domain", "a.test", "bob"], input: "x\n")
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains("u.yaml:2:17: example.test.alice.MD5: not the 32 hexadecimal digits of a hash"))
    #expect(try sandbox.read("u.yaml").contains("alice: { MD5: 00 }"))
  }
}

@Suite("apus check, serve, settings and version")
struct CheckCommandTests {
  @Test("a right file is 0, a wrong one is 2 with every error on a line, a wrong command line is 2")
  func statuses() throws {
    let sandbox = try Sandbox()
    try sandbox.write("domains: [example.test]\nlisten: [\"udp:127.0.0.1:0\"]\n", to: "good.yaml")
    #expect(try sandbox.run(["check", "--config", "good.yaml"]).status == 0)
    try sandbox.write("listen: [\"udp:127.0.0.1:0\"]\nlog: { levl: info }\nworkers: many\n", to: "bad.yaml")
    for words in [["check", "--config", "bad.yaml"], ["serve", "--config", "bad.yaml"]] {
      let outcome = try sandbox.run(words)
      #expect(outcome.status == 2)
      #expect(outcome.errors.contains("bad.yaml:1:1: domains: is missing; add domains: [example.test]\n"))
      #expect(outcome.errors.contains("bad.yaml:2:8: log.levl: unknown key; did you mean level?\n"))
      #expect(outcome.errors.contains("bad.yaml:3:10: workers: 'many' is not auto or a whole number; "))
    }
    #expect(try sandbox.run(["check"]).status == 2)
    #expect(try sandbox.run(["chekc"]).status == 2)
    #expect(
      try sandbox.run(["check", "--config", "none.yaml"]).errors.contains("none.yaml: no such file or directory"))
  }

  @Test("a key of another certificate is an error, a name that the certificate lacks a note")
  func certificates() throws {
    let sandbox = try Sandbox()
    _ = try sandbox.run(["cert", "ca", "--dir", "."])
    _ = try sandbox.run(["cert", "server", "--dir", ".", "--name", "example.test"])
    func settings(_ key: String) -> String {
      """
      domains: [example.test, other.test]
      advertise: example.test
      listen: ["tls:127.0.0.1:0"]
      tls:
        server:
          default: { certificate: server.pem, private_key: \(key) }

      """
    }
    try sandbox.write(settings("server.key"), to: "good.yaml")
    let good = try sandbox.run(["check", "--config", "good.yaml"])
    #expect(good.status == 0)
    let note = "note: good.yaml:6:29: tls.server.default.certificate: the certificate does not speak for other.test; "
    #expect(good.errors.contains(note))
    #expect(!good.errors.contains("speak for example.test"))
    try sandbox.write(settings("ca.key"), to: "bad.yaml")
    let bad = try sandbox.run(["check", "--config", "bad.yaml"])
    #expect(bad.status == 2)
    let error = "bad.yaml:6:29: tls.server.default.certificate: ca.key: it does not belong to the certificate CN="
    #expect(bad.errors.contains(error))
  }

  @Test("the packages that version names are those of Package.swift")
  func packages() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let manifest = try String(contentsOf: root.appendingPathComponent("Package.swift"), encoding: .utf8)
    let named = manifest.split(separator: "\n").filter { $0.contains(".package(url:") }
    let output = try Sandbox().run(["version"]).output
    for line in named {
      let parts = line.split(separator: "\"")
      let name = parts[1].split(separator: "/").last ?? ""
      #expect(output.contains("\n\(name) \(parts[3]) or later\n"))
    }
    #expect(output.contains("openssl OpenSSL 3."))
  }
}
