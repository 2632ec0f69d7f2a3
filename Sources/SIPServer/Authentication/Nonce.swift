import Structures

/// The worker that gave a nonce out; the same as in a branch.
struct NonceIssuer: Equatable {
  /// See ``StreamFlow/node``.
  let node: UInt32
  /// The slot of the worker.
  let slot: UInt16
  /// Its generation.
  let generation: UInt16
}

/// What a nonce of ours says (RFC 7616 §3.3). It holds all that is needed to know it again, so none is remembered when it is given out.
///
/// As text: 52 letters of base64url for 39 octets: version 2, 6 octets Unix seconds of issue, 8 random octets, the worker that gave it out (node 4,
/// slot 2, generation 2), 4 octets of a keyed check of the flow that it was given to, and the first 12 octets of a keyed check of all these and the
/// realm. All numbers in network order. The first 20 letters name it. Version 1 had neither worker nor flow.
struct Nonce: Equatable {
  /// When it was given out, in Unix seconds.
  let issued: Int64
  /// What tells it from all others.
  let word: UInt64
  /// Who gave it out.
  let issuer: NonceIssuer
  /// A check of the flow to which it was given.
  let flowCheck: UInt32
}

/// Writes and reads nonces; keeps its buffers, so that neither allocates in a steady state.
struct NonceCodec {
  private static let version: UInt8 = 2
  private static let namingOctets = 15
  private static let checkedOctets = 27
  private static let macOctets = 12
  private static let letters = 52

  private let hashing: any Hashing
  /// Makes checks of flows this process's own: its successor under the same name remembers nothing of what it gave out.
  private let salt: UInt64
  private var octets: [UInt8] = []
  private var mac: [UInt8] = []
  private var read: [UInt8] = []

  init(_ hashing: any Hashing) {
    self.hashing = hashing
    salt = hashing.randomWord()
  }

  /// Appends the text of a nonce for a realm.
  mutating func append(_ nonce: Nonce, realm: Span<UInt8>, to output: inout [UInt8]) {
    octets.clear()
    appendName(of: nonce)
    octets.append(bigEndian: UInt64(nonce.issuer.node), octets: 4)
    octets.append(bigEndian: UInt64(nonce.issuer.slot), octets: 2)
    octets.append(bigEndian: UInt64(nonce.issuer.generation), octets: 2)
    octets.append(bigEndian: UInt64(nonce.flowCheck), octets: 4)
    seal(realm)
    output.append(base64URL: octets.span.extracting(0..<Self.checkedOctets + Self.macOctets))
  }

  /// Appends the letters that name a nonce wherever it is used.
  mutating func appendName(of nonce: Nonce, to output: inout [UInt8]) {
    octets.clear()
    appendName(of: nonce)
    output.append(base64URL: octets.span.extracting(0..<Self.namingOctets))
  }

  /// The nonce that a text is; nil when we didn't give it out for this realm, or in another version: then it counts as too old, which costs its
  /// client a round trip.
  mutating func decode(_ text: Span<UInt8>, realm: Span<UInt8>) -> Nonce? {
    read.clear()
    guard text.count == Self.letters, read.append(decodingBase64URL: text), read[0] == Self.version else { return nil }
    let issuer = NonceIssuer(
      node: UInt32(truncatingIfNeeded: read.number(at: 15, octets: 4)),
      slot: UInt16(truncatingIfNeeded: read.number(at: 19, octets: 2)),
      generation: UInt16(truncatingIfNeeded: read.number(at: 21, octets: 2)))
    let nonce = Nonce(
      issued: Int64(read.number(at: 1, octets: 6)), word: read.number(at: 7, octets: 8), issuer: issuer,
      flowCheck: UInt32(truncatingIfNeeded: read.number(at: 23, octets: 4)))
    octets.clear()
    octets += read[0..<Self.checkedOctets]
    seal(realm)
    return hashing.equalInConstantTime(octets.span.extracting(0..<Self.checkedOctets + Self.macOctets), read.span)
      ? nonce : nil
  }

  /// The check of a flow that stands in its nonces; another in each process.
  mutating func check(of flow: FlowID) -> UInt32 {
    octets.clear()
    octets.append(bigEndian: salt, octets: 8)
    switch flow {
    case .stream(let stream):
      octets.append(0)
      octets.append(bigEndian: UInt64(stream.node), octets: 4)
      octets.append(bigEndian: UInt64(stream.slot), octets: 2)
      octets.append(bigEndian: stream.epoch, octets: 8)
      octets.append(bigEndian: stream.connection, octets: 8)
    case .datagram(let datagram):
      octets.append(1)
      octets.append(bigEndian: UInt64(datagram.node), octets: 4)
      octets.append(bigEndian: UInt64(datagram.listener), octets: 2)
      octets.append(datagram.remote.address.family.rawValue)
      octets.append(bigEndian: datagram.remote.address.high, octets: 8)
      octets.append(bigEndian: datagram.remote.address.low, octets: 8)
      octets.append(bigEndian: UInt64(datagram.remote.port), octets: 2)
    }
    return UInt32(truncatingIfNeeded: hashing.shortMAC(octets.span))
  }

  private mutating func appendName(of nonce: Nonce) {
    octets.append(Self.version)
    octets.append(bigEndian: UInt64(bitPattern: nonce.issued), octets: 6)
    octets.append(bigEndian: nonce.word, octets: 8)
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
