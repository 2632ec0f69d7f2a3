/// What can be seen of a certificate by whoever has no TLS.
enum CertificateText {
  /// id-ad-ocsp (RFC 5280 §4.2.2.1) in DER, with its type and length.
  private static let responder: [UInt8] = [0x06, 0x08, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01]

  /// Whether the first certificate of a PEM text seems to name an OCSP responder.
  static func namesResponder(_ pem: [UInt8]) -> Bool { firstBlock(pem).firstRange(of: responder) != nil }

  /// The octets of the first block (RFC 7468 §2), as far as they are base64.
  private static func firstBlock(_ pem: [UInt8]) -> [UInt8] {
    let lines = pem.split(separator: 0x0A)
    guard let begin = lines.firstIndex(where: { $0.starts(with: Array("-----BEGIN".utf8)) }) else { return [] }
    var octets: [UInt8] = []
    var (bits, count): (UInt32, Int) = (0, 0)
    for octet in lines[(begin + 1)...].prefix(while: { $0.first != UInt8(ascii: "-") }).joined() {
      guard let value = value(of: octet) else { continue }
      bits = bits << 6 | UInt32(value)
      count += 6
      if count >= 8 {
        count -= 8
        octets.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
      }
    }
    return octets
  }

  private static func value(of octet: UInt8) -> UInt8? {
    switch octet {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): octet - UInt8(ascii: "A")
    case UInt8(ascii: "a")...UInt8(ascii: "z"): octet - UInt8(ascii: "a") + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): octet - UInt8(ascii: "0") + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }
}
