import Structures
import Testing

@Suite("A hash index")
struct HashIndexTests {
  @Test("agrees with a dictionary over random insertions and removals, with colliding hashes")
  func agrees() {
    var index = HashIndex()
    var model: [UInt32: UInt64] = [:]
    var random = SystemRandomNumberGenerator()
    for _ in 0..<20_000 {
      let position = UInt32.random(in: 0..<300, using: &random)
      if let hash = model[position] {
        index.remove(hash, position)
        model[position] = nil
      } else {
        let hash = UInt64.random(in: 0..<40, using: &random)
        index.insert(hash, position)
        model[position] = hash
      }
    }
    #expect(index.count == model.count)
    for position in 0..<300 as Range<UInt32> {
      let found = (0..<40).contains { hash in
        index.find(UInt64(hash)) { $0 == position } != nil && model[position] == UInt64(hash)
      }
      #expect(found == (model[position] != nil))
    }
  }
}

@Suite("base64url, RFC 4648 §5")
struct Base64URLTests {
  @Test("gives back what was written, for every length")
  func roundTrip() {
    for length in 0..<40 {
      let octets = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 200) }
      var text: [UInt8] = []
      text.append(base64URL: octets.span)
      var back: [UInt8] = []
      let isText = back.append(decodingBase64URL: text.span)
      #expect(isText)
      #expect(back == octets)
    }
  }

  @Test("refuses other letters, a lone letter and a second spelling", arguments: ["a", "a+", "ab=", "ab ", "AB"])
  func refuses(text: String) {
    var back: [UInt8] = [1]
    let bytes = Array(text.utf8)
    let isText = back.append(decodingBase64URL: bytes.span)
    #expect(!isText)
    #expect(back == [1])
  }
}
