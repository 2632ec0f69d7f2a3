import Structures

/// A limited STUN server for the UDP ports: clients keep their NAT bindings alive with Binding requests and learn the address that they come
/// from (RFC 5626 §5.4, RFC 5626 §8, RFC 5389 §7.3).
///
/// Pure: octets in, octets out. At most one answer for a request, no longer than ``longestAnswer``, and no state kept.
enum StunBinding {
  /// What became of a datagram.
  enum Outcome: Equatable {
    /// The answer was written.
    case answered
    /// A Binding indication: that it came was its purpose.
    case indication
    /// It isn't STUN, or breaks its rules, or asks for nothing that we know: no answer (RFC 5389 §7.3).
    case ignored
  }

  /// The most bytes of an answer: 420 with the most attributes named.
  static let longestAnswer = headerLength + 28 + 4 + 2 * mostNamed

  private static let headerLength = 20
  /// The most bytes of a request that is looked at: what any path carries in one piece is enough (RFC 5389 §7.1).
  private static let longestRequest = 1_280
  private static let cookie: UInt64 = 0x2112_A442
  /// RFC 5389 §15.5
  private static let fingerprintMask: UInt32 = 0x5354_554E
  /// How many unknown attributes an error response names; even, so that no padding is needed.
  private static let mostNamed = 8

  private enum MessageType {
    static let request: UInt64 = 0x0001
    static let indication: UInt64 = 0x0011
    static let success: UInt64 = 0x0101
    static let error: UInt64 = 0x0111
  }

  private enum Attribute {
    static let mappedAddress: UInt64 = 0x0001
    static let errorCode: UInt64 = 0x0009
    static let unknownAttributes: UInt64 = 0x000A
    static let xorMappedAddress: UInt64 = 0x0020
    static let fingerprint: UInt64 = 0x8028

    /// Those that RFC 5389 §18.2 defines: known, if unexpected in a request, and so of no importance (RFC 5389 §7.3).
    static func isKnown(_ type: UInt64) -> Bool {
      switch type {
      case 0x0001, 0x0006, 0x0008, 0x0009, 0x000A, 0x0014, 0x0015, 0x0020: true
      default: type >= 0x8000
      }
    }
  }

  /// What the attributes of a message hold.
  private struct Attributes {
    /// Where FINGERPRINT begins.
    var fingerprint: Int?
    /// Comprehension-required attributes that nobody here knows.
    var unknown = InlineArray<8, UInt64>(repeating: 0)
    var unknownCount = 0
  }

  /// Whether a datagram on a SIP port is meant for this: no SIP message begins like that (RFC 5626 §8).
  static func mayBe(_ datagram: Span<UInt8>) -> Bool {
    !datagram.isEmpty && datagram[0] <= 1
  }

  /// Reads a datagram from `source` and writes the answer over `answer`.
  static func answer(_ datagram: Span<UInt8>, from source: SocketAddress, to answer: inout [UInt8]) -> Outcome {
    answer.removeAll(keepingCapacity: true)
    // RFC 5389 §6: the length is that of the attributes, which fill words of four octets.
    guard datagram.count >= headerLength, datagram.count <= longestRequest, datagram.count % 4 == 0,
      datagram.bigEndian(2, 2) == UInt64(datagram.count - headerLength)
    else { return .ignored }
    let type = datagram.bigEndian(0, 2)
    guard type == MessageType.request || type == MessageType.indication else { return .ignored }
    let hasCookie = datagram.bigEndian(4, 4) == cookie
    guard let attributes = readAttributes(datagram, hasCookie: hasCookie) else { return .ignored }
    if let fingerprint = attributes.fingerprint, !isIntact(datagram, fingerprint) { return .ignored }
    if type == MessageType.indication { return attributes.unknownCount == 0 ? .indication : .ignored }
    begin(attributes.unknownCount > 0 ? MessageType.error : MessageType.success, datagram, &answer)
    if attributes.unknownCount > 0 {
      appendUnknown(attributes, &answer)
    } else if hasCookie {
      let mask = (high: datagram.bigEndian(4, 8), low: datagram.bigEndian(12, 8))
      append(source, type: Attribute.xorMappedAddress, mask: mask, &answer)
    } else {
      // Deviation: RFC 5389 §12.2 advises against serving clients of RFC 3489 where STUN shares a port, as they can't be told apart
      // with certainty. A SIP message is told apart by its first octet, so nobody is harmed. (`StunTests/oldClient`)
      append(source, type: Attribute.mappedAddress, mask: (0, 0), &answer)
    }
    end(&answer, withFingerprint: attributes.fingerprint != nil)
    return .answered
  }

  // MARK: Reading

  /// Nil when an attribute reaches beyond the end, or something follows FINGERPRINT (RFC 5389 §15.5).
  private static func readAttributes(_ datagram: Span<UInt8>, hasCookie: Bool) -> Attributes? {
    var attributes = Attributes()
    var position = headerLength
    while position < datagram.count {
      // A multiple of four octets is left: the type and the length are there.
      let type = datagram.bigEndian(position, 2)
      let length = Int(datagram.bigEndian(position + 2, 2))
      let next = position + 4 + (length + 3) / 4 * 4
      guard next <= datagram.count else { return nil }
      if type == Attribute.fingerprint, hasCookie {
        guard length == 4, next == datagram.count else { return nil }
        attributes.fingerprint = position
      } else if !Attribute.isKnown(type), attributes.unknownCount < mostNamed {
        attributes.unknown[attributes.unknownCount] = type
        attributes.unknownCount += 1
      }
      position = next
    }
    return attributes
  }

  /// RFC 5389 §15.5
  private static func isIntact(_ datagram: Span<UInt8>, _ fingerprint: Int) -> Bool {
    let sum = checksum(datagram.extracting(0..<fingerprint)) ^ fingerprintMask
    return datagram.bigEndian(fingerprint + 4, 4) == UInt64(sum)
  }

  // MARK: Writing

  /// The header with a length to be set; cookie and transaction id are those of the request (RFC 5389 §6).
  private static func begin(_ type: UInt64, _ request: Span<UInt8>, _ answer: inout [UInt8]) {
    answer.append(bigEndian: type, 2)
    answer.append(bigEndian: 0, 2)
    answer.append(request.extracting(4..<headerLength))
  }

  /// MAPPED-ADDRESS (RFC 5389 §15.1), or XOR-MAPPED-ADDRESS (RFC 5389 §15.2) with cookie and transaction id as the mask.
  private static func append(
    _ address: SocketAddress, type: UInt64, mask: (high: UInt64, low: UInt64), _ answer: inout [UInt8]
  ) {
    let isV6 = address.address.family == .v6
    answer.append(bigEndian: type, 2)
    answer.append(bigEndian: isV6 ? 20 : 8, 2)
    answer.append(bigEndian: isV6 ? 2 : 1, 2)
    answer.append(bigEndian: UInt64(address.port) ^ mask.high >> 48, 2)
    if isV6 {
      answer.append(bigEndian: address.address.high ^ mask.high, 8)
      answer.append(bigEndian: address.address.low ^ mask.low, 8)
    } else {
      answer.append(bigEndian: address.address.low ^ mask.high >> 32, 4)
    }
  }

  /// RFC 5389 §7.3.1: 420 with the attributes that weren't understood (RFC 5389 §15.6, RFC 5389 §15.9).
  private static func appendUnknown(_ attributes: Attributes, _ answer: inout [UInt8]) {
    let reason: StaticString = "Unknown Attribute"
    answer.append(bigEndian: Attribute.errorCode, 2)
    answer.append(bigEndian: UInt64(4 + reason.utf8CodeUnitCount), 2)
    answer.append(bigEndian: 0x0414, 4)
    answer.append(reason)
    answer.append(bigEndian: 0, (4 - reason.utf8CodeUnitCount % 4) % 4)
    answer.append(bigEndian: Attribute.unknownAttributes, 2)
    answer.append(bigEndian: UInt64(2 * attributes.unknownCount), 2)
    for index in 0..<attributes.unknownCount { answer.append(bigEndian: attributes.unknown[index], 2) }
    if attributes.unknownCount % 2 == 1 { answer.append(bigEndian: 0, 2) }
  }

  private static func end(_ answer: inout [UInt8], withFingerprint: Bool) {
    let length = answer.count - headerLength + (withFingerprint ? 8 : 0)
    answer[2] = UInt8(truncatingIfNeeded: length >> 8)
    answer[3] = UInt8(truncatingIfNeeded: length)
    guard withFingerprint else { return }
    let sum = checksum(answer.span) ^ fingerprintMask
    answer.append(bigEndian: Attribute.fingerprint, 2)
    answer.append(bigEndian: 4, 2)
    answer.append(bigEndian: UInt64(sum), 4)
  }

  /// CRC-32 as ITU-T V.42 has it, bit by bit: the messages are short.
  private static func checksum(_ octets: Span<UInt8>) -> UInt32 {
    var sum = UInt32.max
    for index in octets.indices {
      sum ^= UInt32(octets[index])
      for _ in 0..<8 { sum = sum >> 1 ^ (sum & 1 == 1 ? 0xEDB8_8320 : 0) }
    }
    return ~sum
  }
}
