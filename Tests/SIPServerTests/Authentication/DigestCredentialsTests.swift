import SIPMessage
import SIPServer
import Structures
import Testing

@Suite("Digest credentials, RFC 3261 §20.7, RFC 7616 §3.4")
struct DigestCredentialsTests {
  private static let needed = "username=\"bob\", realm=\"r\", nonce=\"n\", uri=\"sip:r\", response=\"0f\""

  private func read(_ value: String) -> DigestCredentials? {
    let octets = Array(value.utf8)
    return DigestCredentials(octets.span, ByteRange(0, octets.count))
  }

  @Test("finds the parameters of the example in RFC 3261 §20.7")
  func example() throws {
    let value =
      "Digest username=\"Alice\", realm=\"atlanta.com\", nonce=\"84a4cc6f3082121f32b42a2187831a9e\",\r\n"
      + " uri=\"sip:b@c;x=\\\"y\\\"\", response=\"7587245234b3434cc3412213e5f113a5432\""
    let found = try #require(read(value))
    func text(_ range: ByteRange) -> String { String(decoding: Array(value.utf8)[range.positions], as: UTF8.self) }
    #expect(text(found.username) == "Alice")
    #expect(text(found.realm) == "atlanta.com")
    #expect(text(found.nonce) == "84a4cc6f3082121f32b42a2187831a9e")
    #expect(text(found.uri) == "sip:b@c;x=\\\"y\\\"")
    #expect(text(found.response) == "7587245234b3434cc3412213e5f113a5432")
    #expect(found.algorithm == .md5 && found.quality == .none && found.count == 0 && found.opaque == nil)
  }

  @Test(
    "reads algorithm, qop and nc however they are written",
    arguments: [
      ("algorithm=MD5", HashAlgorithm.md5, DigestCredentials.Quality.none, 0),
      ("algorithm=\"sha-256\"", .sha256, .none, 0),
      ("ALGORITHM = SHA-512-256,qop=auth,nc=0000000A,cnonce=\"\"", .sha512_256, .auth, 10),
      ("algorithm=MD5-sess", nil, .none, 0),
      ("algorithm=SHA-256-sess", nil, .none, 0),
      ("qop=\"AUTH\", nc=\"ffffffff\" , cnonce=x", .md5, .auth, UInt32.max),
      ("qop=auth-int, nc=1, cnonce=x", .md5, .unsupported, 1),
      ("extra=1, more=\"a, b\"", .md5, .none, 0),
    ] as [(String, HashAlgorithm?, DigestCredentials.Quality, UInt32)])
  func variants(
    parameters: String, algorithm: HashAlgorithm?, quality: DigestCredentials.Quality, count: UInt32
  ) throws {
    for value in ["Digest \(Self.needed), \(parameters)", "digest  \(parameters) ,, \(Self.needed) ,"] {
      let found = try #require(read(value))
      #expect(found.algorithm == algorithm && found.quality == quality && found.count == count)
    }
  }

  @Test(
    "takes nothing malformed, incomplete or of another scheme",
    arguments: [
      "", "Digest", "Digest ", "Basic Ym9iOnB3", "NoOneKnowsThisScheme opaque-data=here", "DigestX \(needed)",
      "Digest \(needed), realm=\"r\"", "Digest \(needed), qop=auth", "Digest \(needed), qop=auth, nc=1",
      "Digest \(needed), qop=auth, nc=1x, cnonce=\"c\"", "Digest \(needed), qop=auth, nc=123456789, cnonce=\"c\"",
      "Digest \(needed), opaque=\"o", "Digest \(needed), opaque=", "Digest \(needed), =x", "Digest \(needed) opaque=o",
      "Digest \(needed), opaque=\"o\\", "Digest realm=\"r\", nonce=\"n\", uri=\"sip:r\", response=\"0f\"",
      "Digest username*=UTF-8''b, realm=\"r\", nonce=\"n\", uri=\"sip:r\", response=\"0f\"",
      "Digest username=\"b\", realm=\"r\", nonce=\"n\", uri=\"sip:r\"",
    ])
  func malformed(value: String) {
    #expect(read(value) == nil)
  }

  @Test("survives every cut and every altered octet of a long value")
  func damage() {
    let whole = Array("Digest \(Self.needed), qop=auth, nc=00000001, cnonce=\"c\\\"d\", opaque=\"\"".utf8)
    var accepted = 0
    for index in whole.indices {
      for octet in [0x00, 0x22, 0x2C, 0x3D, 0x5C, 0xFF] as [UInt8] {
        var altered = whole
        altered[index] = octet
        accepted += DigestCredentials(altered.span, ByteRange(0, altered.count)) == nil ? 0 : 1
      }
      let cut = DigestCredentials(whole.span, ByteRange(0, index))
      if index < "Digest \(Self.needed)".utf8.count { #expect(cut == nil) }
    }
    #expect(accepted > 0 && accepted < whole.count * 6)
  }
}
