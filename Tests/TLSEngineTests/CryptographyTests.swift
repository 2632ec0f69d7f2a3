import Structures
import Testing

@testable import TLSEngine

/// Octets from hexadecimal digits; blanks between them don't count.
func octets(_ hexadecimal: String) -> [UInt8] {
  let digits = hexadecimal.utf8.compactMap(\.hexadecimalDigit)
  return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

private func hexadecimal(_ octets: [UInt8]) -> String {
  var text: [UInt8] = []
  text.append(hexadecimal: octets.span)
  return String(decoding: text, as: UTF8.self)
}

// Arrays in place of views: a test's expectations can't hold views.

extension ShortAuthenticator {
  fileprivate func code(_ octets: [UInt8]) -> UInt64 { code(for: octets.span) }
}

extension TokenCipher {
  fileprivate func opened(_ octets: [UInt8], to output: inout [UInt8]) -> Bool { open(octets.span, to: &output) }
}

extension Hashing {
  fileprivate func check(_ octets: [UInt8]) -> UInt64 { shortMAC(octets.span) }
  fileprivate func opened(_ octets: [UInt8], to output: inout [UInt8]) -> Bool { open(octets.span, to: &output) }
}

private func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool { Secrets.areEqual(left.span, right.span) }

@Suite("Hashes (RFC 1321 §A.5, FIPS 180-4)")
struct HashTests {
  @Test(
    "computes the published hashes",
    arguments: [
      (HashAlgorithm.md5, "", "d41d8cd98f00b204e9800998ecf8427e"),
      (.md5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
      (.sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (.sha512_256, "abc", "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"),
    ])
  func vectors(_ algorithm: HashAlgorithm, _ text: String, _ expected: String) throws {
    let hash = CryptographicHash(algorithm)
    try #require(hash.isAvailable)
    // Twice: the context is used again.
    for _ in 0..<2 {
      var output: [UInt8] = [1]
      hash.append(hashOf: Array(text.utf8).span, to: &output)
      #expect(hexadecimal(Array(output.dropFirst())) == expected)
      #expect(output.count == 1 + algorithm.length)
    }
  }
}

@Suite("Keyed checks")
struct KeyedCheckTests {
  @Test("computes HMAC-SHA-256 as RFC 4231 §4.2 and §4.3 have it")
  func hmac() throws {
    let key = [UInt8](repeating: 0x0B, count: 20)
    let first = try MessageAuthenticator(key: key.span)
    for _ in 0..<2 {
      var output: [UInt8] = []
      first.append(codeFor: Array("Hi There".utf8).span, to: &output)
      #expect(hexadecimal(output) == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
    }
    let second = try MessageAuthenticator(key: Array("Jefe".utf8).span)
    var output: [UInt8] = []
    second.append(codeFor: Array("what do ya want for nothing?".utf8).span, to: &output)
    #expect(hexadecimal(output) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
  }

  @Test("computes SipHash-2-4 as its authors' vectors have it")
  func sipHash() throws {
    let key = (0..<16).map { UInt8($0) }
    let authenticator = ShortAuthenticator(key: key.span)
    for _ in 0..<2 {
      #expect(authenticator.code((0..<15).map { UInt8($0) }) == 0xA129_CA61_49BE_45E5)
      #expect(authenticator.code([]) == 0x726F_DB47_DD0E_0E31)
    }
  }

  @Test("derives keys as RFC 5869 §A.1 has it")
  func hkdf() throws {
    let secret = [UInt8](repeating: 0x0B, count: 22)
    let key = try Secrets.derive(
      from: secret.span, salt: octets("000102030405060708090a0b0c"), information: octets("f0f1f2f3f4f5f6f7f8f9"),
      length: 42)
    let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    #expect(hexadecimal(key) == expected)
  }

  @Test("compares octets, also of different length")
  func equality() {
    let left: [UInt8] = [1, 2, 3]
    #expect(areEqual(left, [1, 2, 3]))
    #expect(!areEqual(left, [1, 2, 4]))
    #expect(!areEqual(left, [1, 2]))
  }
}

@Suite("Token encryption (RFC 5297)")
struct TokenCipherTests {
  private let key = octets("7f7e7d7c 7b7a7978 77767574 73727170 40414243 44454647 48494a4b 4c4d4e4f")

  @Test("seals the same octets the same way every time and opens what it sealed")
  func roundTrip() throws {
    let cipher = try TokenCipher(key: key.span)
    for length in [1, 15, 16, 17, 90, 1000] {
      let plain = (0..<length).map { UInt8(truncatingIfNeeded: $0 * 7) }
      var (first, second, opened): ([UInt8], [UInt8], [UInt8]) = ([], [9], [])
      cipher.seal(plain.span, to: &first)
      cipher.seal(plain.span, to: &second)
      #expect(first.count == length + TokenCipher.overhead)
      #expect(Array(second.dropFirst()) == first)
      #expect(cipher.opened(first, to: &opened))
      #expect(opened == plain)
    }
  }

  @Test("refuses a token with any bit changed, one cut short and one of another key")
  func forged() throws {
    let cipher = try TokenCipher(key: key.span)
    var sealed: [UInt8] = []
    cipher.seal(Array("flow".utf8).span, to: &sealed)
    var output: [UInt8] = [5]
    for bit in 0..<sealed.count * 8 {
      var forged = sealed
      forged[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(!cipher.opened(forged, to: &output))
    }
    for length in 0..<sealed.count {
      let cut = Array(sealed[..<length])
      #expect(!cipher.opened(cut, to: &output))
    }
    var otherKey = key
    otherKey[31] ^= 1
    let stranger = try TokenCipher(key: otherKey.span)
    #expect(!stranger.opened(sealed, to: &output))
    #expect(output == [5])
    #expect(cipher.opened(sealed, to: &output))
  }

  @Test("computes what an independent implementation of RFC 5297 §2.6 computes")
  func vector() throws {
    let cipher = try TokenCipher(key: key.span)
    var sealed: [UInt8] = []
    cipher.seal(octets("112233445566778899aabbccddee").span, to: &sealed)
    #expect(hexadecimal(sealed) == Self.expected)
  }

  @Test("computes for more than a block what OpenSSL's own AES-128-SIV computes")
  func longVector() throws {
    let key = (0..<32).map { UInt8($0) }
    let plain = (0..<40).map { UInt8(truncatingIfNeeded: 200 + $0 * 3) }
    let cipher = try TokenCipher(key: key.span)
    var sealed: [UInt8] = []
    cipher.seal(plain.span, to: &sealed)
    #expect(hexadecimal(sealed) == Self.expectedOfOpenSSL)
  }

  private static let expectedOfOpenSSL =
    "958e775caabff0336b0559792136d71085870f79f15eed742f294ac6d2bee3c4ceb7926902fd7900ef71ef4c1b97921db3196f23055a7ea1"

  /// From a script on the AES block cipher alone that also gives the vector of RFC 5297 §A.1; that vector itself has
  /// associated data, which tokens don't.
  private static let expected = "346fa4e06088318497b6af37ed564edf5ee51a0d14f08edc8e545a5a6ddf"
}

@Suite("Cryptography of a cluster")
struct ClusterCryptographyTests {
  private let secret = Array("0123456789abcdef".utf8)

  @Test("computes the same in every worker of a cluster and differently in another cluster")
  func sameKeys() throws {
    let (one, two) = (try ClusterCryptography(secret: secret.span), try ClusterCryptography(secret: secret.span))
    let other = try ClusterCryptography(secret: Array("0123456789abcdeF".utf8).span)
    let text = Array("z9hG4bK".utf8)
    #expect(one.check(text) == two.check(text))
    #expect(one.check(text) != other.check(text))
    var (sealed, opened): ([UInt8], [UInt8]) = ([], [])
    one.seal(text.span, to: &sealed)
    #expect(!other.opened(sealed, to: &opened))
    #expect(two.opened(sealed, to: &opened))
    #expect(opened == text)
    var (first, second): ([UInt8], [UInt8]) = ([], [])
    one.appendMAC(text.span, to: &first)
    two.appendMAC(text.span, to: &second)
    #expect(first == second)
    #expect(first.count == 32)
    #expect(one.randomWord() != two.randomWord())
  }
}
