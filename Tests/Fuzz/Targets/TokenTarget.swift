import SIPMessage
import SIPTransaction
import Structures

@testable import SIPServer

/// What we write into messages to find it again: branches, flow tokens, nonces. Seals and checks always hold here, so that any content
/// comes in; what can be read is the same once it is written again.
enum TokenTarget {
  static func run(_ input: [UInt8]) throws(Complaint) {
    var reader = InputReader(input)
    let kind = reader.number(below: 4)
    let octets = reader.rest
    switch kind {
    case 0: try checkText(octets)
    case 1: try checkBranch([1] + octets.prefix(16) + [0, 0, 0])
    case 2: try checkToken([1] + Array(repeating: 0, count: 16) + octets)
    default: try checkToken(octets)
    }
  }

  private static func checkText(_ text: [UInt8]) throws(Complaint) {
    var decoded: [UInt8] = []
    guard decoded.append(decodingBase64URL: text.span) else {
      return try Complaint.unless(decoded.isEmpty, "something was appended of what can't be read")
    }
    var again: [UInt8] = []
    again.append(base64URL: decoded.span)
    try Complaint.unless(again == text, "two texts for the same octets")
  }

  private static func checkBranch(_ octets: [UInt8]) throws(Complaint) {
    let hashing = FuzzHashing(isGullible: true)
    var (text, scratch, again) = (Array("z9hG4bK".utf8), [UInt8](), [UInt8]())
    text.append(base64URL: octets.span)
    guard let branch = Branch(text.span, hashing: hashing, scratch: &scratch) else { return }
    branch.append(to: &again, hashing: hashing)
    try Complaint.unless(again == text, "the branch is another once written")
  }

  private static func checkToken(_ octets: [UInt8]) throws(Complaint) {
    let hashing = FuzzHashing(isGullible: true)
    var (text, scratch) = ([UInt8](), [UInt8]())
    text.append(base64URL: octets.span)
    _ = FlowToken(text.span, hashing: hashing, scratch: &scratch)
    var codec = NonceCodec(hashing)
    _ = codec.decode(text.span, realm: octets.span)
  }
}
