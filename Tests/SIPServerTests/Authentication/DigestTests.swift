import SIPMessage
import SIPServer
import Structures
import Testing

@Suite("Digest authentication, RFC 3261 §22, RFC 8760 §2")
struct DigestTests {
  @Test(
    "the hash functions of the tests are the real ones (RFC 8760 §2.6, FIPS 180-4)",
    arguments: [
      (HashAlgorithm.md5, "", "d41d8cd98f00b204e9800998ecf8427e"),
      (.md5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
      (.sha256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      (.sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (.sha512_256, "abc", "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"),
    ])
  func vectors(algorithm: HashAlgorithm, text: String, hash: String) {
    var client = DigestClient()
    client.algorithm = algorithm
    #expect(client.hash(text) == hash)
  }

  @Test(
    "the client of the tests computes what RFC 7616 §3.9.1 shows",
    arguments: [
      (HashAlgorithm.md5, "8ca523f5e9506fed4657c9700eebdbec"),
      (.sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ])
  func publishedExample(algorithm: HashAlgorithm, response: String) {
    var client = DigestClient()
    client.user = "Mufasa"
    client.password = "Circle of Life"
    client.realm = "http-auth@example.org"
    client.algorithm = algorithm
    client.method = "GET"
    client.uri = "/dir/index.html"
    client.cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    #expect(client.response("7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v") == response)
  }

  @Test("accepts each algorithm that is offered", arguments: HashAlgorithm.allCases)
  func algorithms(algorithm: HashAlgorithm) {
    let bench = AuthenticationBench(algorithms: [.sha512_256, .sha256, .md5])
    var client = DigestClient()
    client.algorithm = algorithm
    #expect(bench.check(client, bench.nonce()) == .accepted)
    #expect(String(decoding: bench.authenticator.user, as: UTF8.self) == "alice")
  }

  @Test(
    "refuses a wrong password and an unknown user alike, with any nonce, and says stale only to who knows the password")
  func refusal() {
    let bench = AuthenticationBench()
    var wrong = DigestClient()
    wrong.password = "Secret"
    var unknown = DigestClient()
    unknown.user = "mallory"
    for client in [wrong, unknown] {
      #expect(bench.check(client, bench.nonce()) == .refused)
      #expect(bench.check(client, "made up") == .refused)
    }
    #expect(bench.check(DigestClient(), "made up") == .stale)
    #expect(bench.authenticator.nonceCount == 0)
  }

  @Test("doesn't take the digest over the zeros that stand in for an unknown user's HA1")
  func dummy() {
    let bench = AuthenticationBench()
    let nonce = bench.nonce()
    let client = DigestClient()
    let zeros = String(repeating: "0", count: 32)
    let response = client.hash(
      "\(zeros):\(nonce):00000001:\(client.cnonce):auth:\(client.hash("REGISTER:sip:example.test"))")
    let value = client.credentials(nonce).replacing(client.response(nonce), with: response)
      .replacing("alice", with: "nobody")
    #expect(bench.check([value]) == .refused)
  }

  @Test("covers method, URI, nonce count, client nonce and qop with the digest")
  func coverage() {
    let bench = AuthenticationBench()
    let nonce = bench.nonce()
    let value = DigestClient().credentials(nonce)
    #expect(bench.check([value], method: "INVITE") == .refused)
    for (old, new) in [
      ("uri=\"sip:example.test", "uri=\"sip:example.tesu"), ("nc=00000001", "nc=00000002"), ("0a4f113b", "0a4f113c"),
      ("qop=auth", "qop=Auth"), ("response=\"", "response=\"0"),
    ] { #expect(bench.check([value.replacing(old, with: new)]) == .refused) }
    #expect(bench.check([value]) == .accepted)
  }

  @Test("undoes escapes in names, realms and client nonces before it compares and hashes")
  func escapes() {
    let bench = AuthenticationBench()
    bench.realm = "a \"quoted\" realm"
    bench.users.realm = bench.realm
    bench.users.passwords = ["al\"ice@example.test": "secret"]
    var client = DigestClient()
    client.user = "al\"ice"
    client.realm = bench.realm
    #expect(bench.challenge().contains("realm=\"a \\\"quoted\\\" realm\""))
    let value = client.credentials(bench.nonce()).replacing("al\"ice", with: "al\\\"i\\ce")
      .replacing(bench.realm, with: "a \\\"quoted\\\" realm").replacing("0a4f113b", with: "0a\\4f113b")
    #expect(bench.check([value]) == .accepted)
    #expect(String(decoding: bench.authenticator.user, as: UTF8.self) == "al\"ice")
  }

  @Test("finds the credentials for its realm among others, in its own header field")
  func choice() {
    let bench = AuthenticationBench(algorithms: [.md5])
    let nonce = bench.nonce()
    let mine = DigestClient().credentials(nonce)
    var other = DigestClient()
    other.realm = "elsewhere.test"
    var unsupported = DigestClient()
    unsupported.algorithm = .sha256
    #expect(bench.check([]) == .missing)
    #expect(bench.check(["Basic YTpi", "NoOneKnowsThisScheme opaque-data=here"]) == .missing)
    #expect(bench.check([other.credentials(nonce), unsupported.credentials(nonce)]) == .missing)
    #expect(bench.authenticator.user.isEmpty)
    #expect(bench.check([mine.replacing("nonce=\"\(nonce)\"", with: "nonce=\"\"")]) == .missing)
    #expect(bench.check([other.credentials(nonce), unsupported.credentials(nonce), mine]) == .accepted)
    #expect(bench.check([DigestClient().credentials(bench.nonce())], header: "Proxy-Authorization") == .accepted)
  }

  @Test("offers to a user what the directory says, and takes nothing else from them")
  func offers() {
    let bench = AuthenticationBench(algorithms: [.sha256, .md5])
    bench.users.offers = ["alice@example.test": [.sha256]]
    #expect(bench.check(DigestClient(), bench.nonce()) == .missing)
    var client = DigestClient()
    client.algorithm = .sha256
    #expect(bench.check(client, bench.nonce()) == .accepted)
    let (alice, bob, domain) = (Array("alice".utf8), Array("bob".utf8), Array("example.test".utf8))
    #expect(bench.authenticator.offered(to: alice.span, domain: domain.span, users: bench.users) == [.sha256])
    #expect(bench.authenticator.offered(to: bob.span, domain: domain.span, users: bench.users) == [.sha256, .md5])
  }

  @Test("takes the digest without qop with MD5 alone, once for each nonce, and for the Request-URI's user and host")
  func withoutQop() {
    let bench = AuthenticationBench()
    var client = DigestClient()
    client.qop = nil
    let nonce = bench.nonce()
    client.uri = "sip:other.test"
    #expect(bench.check(client, nonce) == .refused)
    client.uri = "sip:EXAMPLE.test:5060;transport=tls"
    #expect(bench.check(client, nonce) == .accepted)
    #expect(bench.check(client, nonce) == .stale)
    client.algorithm = .sha256
    #expect(bench.check(client, bench.nonce()) == .missing)
    client.qop = "auth-int"
    client.algorithm = .md5
    #expect(bench.check(client, bench.nonce()) == .missing)
  }

  @Test(
    "lets the URI differ from the Request-URI where uses are counted, as long as it is one",
    arguments: [
      ("sip:127.0.0.1:5060", Authenticator.Verdict.accepted), ("sips:bob@other.test", .accepted), ("tel:+1", .accepted),
      ("/dir/index.html", .refused), ("sip:", .refused), ("", .refused),
    ])
  func uri(uri: String, verdict: Authenticator.Verdict) {
    let bench = AuthenticationBench()
    var client = DigestClient()
    client.uri = uri
    #expect(bench.check(client, bench.nonce()) == verdict)
  }

  @Test("writes one line for each algorithm in their order, with one nonce, qop and stale")
  func challenge() {
    let bench = AuthenticationBench()
    let nonce = bench.nonce()
    #expect(nonce.count == 52 && nonce != bench.nonce())
    let lines = bench.challenge(.proxyAuthenticate, algorithms: [.sha512_256, .sha256, .md5], stale: true)
      .split(separator: "\r\n")
    #expect(lines.count == 3)
    let common = lines.first.map { $0.split(separator: "nonce=\"").last?.prefix(52) ?? "" } ?? ""
    for (line, token) in zip(lines, ["SHA-512-256", "SHA-256", "MD5"]) {
      let expected =
        "Proxy-Authenticate: Digest realm=\"example.test\", nonce=\"\(common)\", algorithm=\(token), qop=\"auth\", stale=true"
      #expect(line == expected)
    }
    #expect(bench.challenge().hasPrefix("WWW-Authenticate: Digest realm="))
    #expect(!bench.challenge().contains("stale"))
  }
}
