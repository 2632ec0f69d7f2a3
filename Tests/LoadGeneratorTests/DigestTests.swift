import Structures
import Testing

@testable import LoadGenerator

@Suite("Answering challenges (RFC 7616, RFC 8760)")
struct DigestTests {
  private func challenge(_ text: String, isProxy: Bool = false) -> DigestChallenge {
    DigestChallenge(Array(text.utf8).span, isProxy: isProxy)
  }

  private func answer(
    _ challenge: DigestChallenge, _ user: String, _ password: String, method: StaticString, uri: String
  )
    -> String
  {
    var answerer = DigestAnswerer()
    var output: [UInt8] = []
    answerer.append(
      challenge, user: Array(user.utf8), password: Array(password.utf8), method: method, uri: Array(uri.utf8),
      clientNonce: 0x0A4F_113B_0000_0001, to: &output)
    return String(decoding: output, as: UTF8.self)
  }

  @Test("without qop the response is that of RFC 2069's scheme")
  func withoutQuality() {
    let challenge = challenge(
      #"Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc""#)
    let line = answer(challenge, "Mufasa", "Circle Of Life", method: "GET", uri: "/dir/index.html")
    // MD5("939e7578ed9e3c518a452acee763bce9:dcd98b7102dd2f0e8b11d0f600bfb0c093:39aff3a2bab6126f332b942af96d3366")
    #expect(line.contains(#"response="670fd8c2df070c60b045671b8b24ff02""#))
    #expect(line.contains(#"opaque="5ccc""#) && !line.contains("qop"))
    #expect(line.hasPrefix("Authorization: Digest username=\"Mufasa\""))
  }

  @Test("the hash of user, realm and password is that of RFC 7616 §3.9.1, for MD5 and SHA-256")
  func userHashes() {
    for (algorithm, expected) in [
      ("MD5", "3d78807defe7de2157e2b0b6573a855f"),
      ("SHA-256", "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232"),
    ] {
      let challenge = challenge(
        #"Digest realm="http-auth@example.org", nonce="n", qop="auth, auth-int", algorithm="# + algorithm)
      _ = answer(challenge, "Mufasa", "Circle of Life", method: "GET", uri: "/")
      #expect(String(decoding: challenge.userHash, as: UTF8.self) == expected)
    }
  }

  @Test("each answer to a nonce carries the next count, to a proxy in its own field")
  func counts() {
    let challenge = challenge(#"Digest nonce="n", realm="r", qop="auth", algorithm=SHA-256"#, isProxy: true)
    #expect(answer(challenge, "a", "b", method: "INVITE", uri: "sip:x").contains("nc=00000001"))
    let second = answer(challenge, "a", "b", method: "INVITE", uri: "sip:x")
    #expect(second.contains("nc=00000002") && second.contains("cnonce=\"0a4f113b00000001\""))
    #expect(second.hasPrefix("Proxy-Authorization: ") && second.contains("algorithm=SHA-256"))
  }

  @Test("of several challenges the first that can be answered counts")
  func choice() {
    let text =
      "SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"1\", algorithm=SHA-512-256\r\n"
      + "WWW-Authenticate: Digest realm=\"r\", nonce=\"2\", algorithm=SHA-256\r\n"
      + "WWW-Authenticate: Digest realm=\"r\", nonce=\"3\"\r\nContent-Length: 0\r\n\r\n"
    let octets = Array(text.utf8)
    let reader = WireReader()
    #expect(reader.read(octets.span, from: 0) == .message(end: octets.count))
    let challenge = DigestChallenge(octets.span.extracting(reader.challenge.range), isProxy: false)
    #expect(challenge.nonce == Array("2".utf8) && challenge.isSHA256)
  }
}
