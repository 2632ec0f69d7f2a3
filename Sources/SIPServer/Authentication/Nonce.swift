import Structures

/// What a nonce of ours says (RFC 7616 §3.3). It holds all that is needed to know it again, so none is remembered when it is given out.
///
/// As text: 36 letters of base64url for 27 octets: version 1, 6 octets Unix seconds of issue, 8 random octets, and the first 12 octets
/// of a keyed check of these and the realm. All numbers in network order.
struct Nonce: Equatable {
  /// When it was given out, in Unix seconds.
  let issued: Int64
  /// What tells it from all others.
  let word: UInt64
}

/// Writes and reads nonces; keeps its buffers, so that neither allocates in a steady state.
struct NonceCodec {
  private static let version: UInt8 = 1
  private static let checkedOctets = 15
  private static let macOctets = 12
  private static let letters = 36

  private let hashing: any Hashing
  private var octets: [UInt8] = []
  private var mac: [UInt8] = []
  private var read: [UInt8] = []

  init(_ hashing: any Hashing) {
    self.hashing = hashing
  }

  /// Appends the text of a nonce for a realm.
  mutating func append(_ nonce: Nonce, realm: Span<UInt8>, to output: inout [UInt8]) {
    octets.clear()
    octets.append(Self.version)
    octets.append(bigEndian: UInt64(bitPattern: nonce.issued), octets: 6)
    octets.append(bigEndian: nonce.word, octets: 8)
    seal(realm)
    output.append(base64URL: octets.span.extracting(0..<Self.checkedOctets + Self.macOctets))
  }

  /// The nonce that a text is; nil when we didn't give it out for this realm.
  mutating func decode(_ text: Span<UInt8>, realm: Span<UInt8>) -> Nonce? {
    read.clear()
    guard text.count == Self.letters, read.append(decodingBase64URL: text), read[0] == Self.version else { return nil }
    let nonce = Nonce(
      issued: Int64(read.number(at: 1, octets: 6)), word: read.number(at: 7, octets: 8))
    octets.clear()
    octets += read[0..<Self.checkedOctets]
    seal(realm)
    return hashing.equalInConstantTime(octets.span.extracting(0..<Self.checkedOctets + Self.macOctets), read.span)
      ? nonce : nil
  }

  /// Puts the check behind the octets that it covers.
  private mutating func seal(_ realm: Span<UInt8>) {
    octets.append(realm)
    mac.clear()
    appendMAC()
    octets.removeSubrange(Self.checkedOctets...)
    octets += mac[0..<Self.macOctets]
  }

  private mutating func appendMAC() {
    // A second reference for the time of the call only, so that the octets are not copied when they are changed again.
    let covered = octets
    hashing.appendMAC(covered.span, to: &mac)
  }
}

extension [UInt8] {
  fileprivate mutating func append(bigEndian number: UInt64, octets: Int) {
    for shift in (0..<octets).reversed() { append(UInt8(truncatingIfNeeded: number >> UInt64(shift * 8))) }
  }

  fileprivate func number(at position: Int, octets: Int) -> UInt64 {
    self[position..<position + octets].reduce(0) { $0 << 8 | UInt64($1) }
  }
}
