import SIPMessage
import Structures
import Testing

@Suite("URI comparison, RFC 3261 §19.1.4")
struct URIComparisonTests {
  @Test(
    "finds equivalent what the section calls equivalent",
    arguments: [
      ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
      ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
      ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
      (
        "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"
      ),
      (
        "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:alice@atlanta.com?priority=urgent&subject=project%20x"
      ),
      ("sip:bob@[2001:db8::9:1]", "sip:bob@[2001:db8::9:01]"),
      ("tel:+358-555-1234567", "tel:+358-555-1234567"),
    ])
  func equivalent(left: String, right: String) {
    #expect(areEquivalent(left, right) == true)
    #expect(areEquivalent(right, left) == true)
  }

  @Test(
    "tells apart what the section calls different",
    arguments: [
      ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
      ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
      ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
      ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
      ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
      ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
      ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
      ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
      ("sip:bob@biloxi.com", "sip:biloxi.com"),
      ("sip:bob:secret@biloxi.com", "sip:bob@biloxi.com"),
      ("sip:bob@biloxi.com;maddr=192.0.2.1", "sip:bob@biloxi.com"),
      ("sip:a%40b@biloxi.com", "sip:a@biloxi.com"),
    ])
  func different(left: String, right: String) {
    #expect(areEquivalent(left, right) == false)
    #expect(areEquivalent(right, left) == false)
  }

  @Test("takes parts in any order up to 64, and compares octet by octet what has more, so that nobody makes it slow")
  func veryMany() {
    func parts(_ separator: String, _ numbers: [Int]) -> String { numbers.map { "\(separator)p\($0)=x" }.joined() }
    let (some, more) = (Array(1...64), Array(1...65))
    for (start, separator) in [("sip:a@b", ";"), ("sip:a@b?p0=x", "&")] {
      let (forth, back) = (start + parts(separator, some), start + parts(separator, some.reversed()))
      #expect(areEquivalent(forth, back) == true)
      let (long, other) = (start + parts(separator, more), start + parts(separator, more.reversed()))
      #expect(areEquivalent(long, long) == true)
      #expect(areEquivalent(long, other) == false)
      #expect(areEquivalent(long, start) == false && areEquivalent(start, long) == false)
    }
  }

  private func areEquivalent(_ left: String, _ right: String) -> Bool? {
    let (leftBytes, rightBytes) = (Array(left.utf8), Array(right.utf8))
    guard let leftURI = try? SIPURI(leftBytes.span, ByteRange(0, leftBytes.count)),
      let rightURI = try? SIPURI(rightBytes.span, ByteRange(0, rightBytes.count))
    else { return nil }
    return SIPURI.areEquivalent(leftURI, in: leftBytes.span, rightURI, in: rightBytes.span)
  }
}
