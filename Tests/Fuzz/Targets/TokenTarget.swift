import SIPMessage
import SIPTransaction
import Structures

@testable import SIPServer

/// What we write into messages to find it again: branches, flow tokens, nonces. Seals and checks always hold here, so that any content
/// comes in; what can be read is the same once it is written again.
enum TokenTarget {
  static func run(_ input: [UInt8]) throws(Complaint) {
    var reader = InputReader(input)
    let kind = reader.number(below: 5)
    let octets = reader.rest
    switch kind {
    case 0: try checkText(octets)
    case 1: try checkBranch([1] + octets.prefix(16) + [0, 0, 0])
    case 2: try checkToken([1] + Array(repeating: 0, count: 16) + octets)
    case 3: try checkToken(octets)
    default: try checkGRUU(octets)
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

  /// A GRUU that the registrar gives out can be read in a request, and means the binding it was given for, whatever letters its user and
  /// instance have (RFC 5627 §3.1). User and instance are the two lines of the input.
  private static func checkGRUU(_ octets: [UInt8]) throws(Complaint) {
    let hashing = FuzzHashing()
    let parts = octets.split(separator: 0x0A, maxSplits: 1, omittingEmptySubsequences: false).map { Array($0) }
    guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return }
    var instance: [UInt8] = []
    let (user, name) = (parts[0], parts[1])
    InstanceIdentity.append(canonical: name.span, to: &instance)
    guard !instance.isEmpty else { return }
    let flow = Peers.flow(0)
    let binding = Binding(
      uri: Array("sip:a@b".utf8), parameters: [], q: 1_000, isQGiven: false, expires: 0, callID: [], cseq: 1,
      instance: instance, regID: nil, gruuEra: 7, path: [], flow: flow, isDirect: true, isReachedByFlow: true,
      userAgent: [], registeredAt: 0)
    var written: [UInt8] = []
    let aor = user + Array("@e.test".utf8)
    GRUU.appendParameters(of: binding, aor: aor.span, hashing: hashing, to: &written)
    for text in written.split(separator: UInt8(ascii: "\"")).map({ Array($0) }) where text.starts(with: "sip:".utf8) {
      guard let uri = try? SIPURI(text.span, ByteRange(0, text.count)) else {
        throw Complaint("no URI: \(String(decoding: text, as: UTF8.self))")
      }
      guard case .gruu(let gruu) = GRUU.read(uri, in: text.span, hashing: hashing) else {
        throw Complaint("no GRUU: \(String(decoding: text, as: UTF8.self))")
      }
      try Complaint.unless(gruu.matches(binding) && gruu.user == user, "the GRUU of another")
    }
  }
}
