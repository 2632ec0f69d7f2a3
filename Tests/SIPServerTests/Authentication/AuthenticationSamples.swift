import SIPMessage
import SIPServer
import SIPTransaction
import Structures

/// A client of the digest scheme, written from RFC 7616 §3.4.1 apart from the server's code.
struct DigestClient {
  var user = "alice"
  var password = "secret"
  var realm = "example.test"
  var algorithm = HashAlgorithm.md5
  var uri = "sip:example.test"
  var method = "REGISTER"
  var qop: String? = "auth"
  var cnonce = "0a4f113b"
  var nonceCount = "00000001"
  private let hashing = TestHashing()

  func hash(_ text: String) -> String {
    let octets = Array(text.utf8)
    var digest: [UInt8] = []
    hashing.appendHash(algorithm, octets.span, to: &digest)
    var letters: [UInt8] = []
    letters.append(hexadecimal: digest.span)
    return String(decoding: letters, as: UTF8.self)
  }

  func response(_ nonce: String) -> String {
    let middle = qop.map { "\(nonce):\(nonceCount):\(cnonce):\($0)" } ?? nonce
    return hash("\(hash("\(user):\(realm):\(password)")):\(middle):\(hash("\(method):\(uri)"))")
  }

  /// The Authorization value that answers a nonce.
  func credentials(_ nonce: String) -> String {
    let count = qop.map { ", qop=\($0), nc=\(nonceCount), cnonce=\"\(cnonce)\"" } ?? ""
    return "Digest username=\"\(user)\", realm=\"\(realm)\", nonce=\"\(nonce)\", uri=\"\(uri)\", "
      + "response=\"\(response(nonce))\", algorithm=\(algorithm.token)\(count)"
  }
}

/// Users with known passwords.
struct PasswordList: UserDirectory {
  /// Passwords by `user@domain`.
  var passwords = ["alice@example.test": "secret"]
  /// The realm of all of them.
  var realm = "example.test"
  /// What is offered to whom; others get what is configured.
  var offers: [String: AlgorithmList] = [:]

  func appendHA1(domain: Span<UInt8>, user: Span<UInt8>, algorithm: HashAlgorithm, to output: inout [UInt8]) -> Bool {
    guard let password = passwords["\(user.text)@\(domain.text)"] else { return false }
    var client = DigestClient()
    client.algorithm = algorithm
    output += Array(client.hash("\(user.text):\(realm):\(password)").utf8)
    return true
  }

  func algorithms(domain: Span<UInt8>, user: Span<UInt8>) -> AlgorithmList? {
    offers["\(user.text)@\(domain.text)"]
  }
}

/// An authenticator with a clock, and a way to put a question to it in one line.
final class AuthenticationBench {
  let authenticator: Authenticator
  var users = PasswordList()
  var realm = "example.test"
  var now: Int64 = 10_000
  var flow = LocationSamples.stream(1).id

  init(
    algorithms: AlgorithmList = [.sha256, .md5], lifetime: Int64 = 300, capacity: Int = 1_000, seed: UInt64 = 1,
    slot: UInt16 = 0
  ) {
    authenticator = Authenticator(
      hashing: TestHashing(seed: seed),
      identity: Branch(node: 7, slot: slot, generation: 1, transaction: SlotHandle(index: 0, generation: 0)),
      algorithms: algorithms, nonceLifetime: lifetime, nonceCapacity: capacity,
      now: 10_000)
  }

  /// The challenge lines.
  func challenge(
    _ header: HeaderName = .wwwAuthenticate, algorithms: AlgorithmList = [.md5], stale: Bool = false
  ) -> String {
    let octets = Array(realm.utf8)
    var output: [UInt8] = []
    authenticator.appendChallenge(
      header, realm: octets.span, algorithms: algorithms, stale: stale, flow: flow, now: now, to: &output)
    return String(decoding: output, as: UTF8.self)
  }

  /// A new nonce.
  func nonce() -> String {
    challenge().split(separator: "nonce=\"").last?.split(separator: "\"").first.map(String.init) ?? ""
  }

  /// What a request with the given Authorization values proves.
  func check(
    _ values: [String], header: String = "Authorization", method: String = "REGISTER", uri: String = "sip:example.test"
  ) -> Authenticator.Verdict {
    let lines = values.map { "\(header): \($0)\r\n" }.joined()
    let message = RegistrationRequestTests.load(
      "\(method) \(uri) SIP/2.0\r\nVia: SIP/2.0/TLS h;branch=z9hG4bKa\r\nMax-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\n"
        + "To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 \(method)\r\n\(lines)Content-Length: 0\r\n\r\n")
    let octets = Array(realm.utf8)
    let domain = Array("example.test".utf8)
    let name = header == "Authorization" ? HeaderName.authorization : .proxyAuthorization
    return authenticator.check(
      message, header: name, domain: domain.span, realm: octets.span, users: users, flow: flow, now: now)
  }

  func check(_ client: DigestClient, _ nonce: String) -> Authenticator.Verdict {
    check([client.credentials(nonce)])
  }
}
