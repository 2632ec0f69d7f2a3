import Structures

/// What a server asked for in a challenge, and how often it was answered (RFC 7616 §3.3).
final class DigestChallenge {
  let realm: [UInt8]
  let nonce: [UInt8]
  let opaque: [UInt8]
  let isSHA256: Bool
  let hasQuality: Bool
  let isProxy: Bool
  /// How many requests carried this nonce (`nc`).
  var count: UInt64 = 0
  /// The hash of user, realm and password, once it was computed.
  var userHash: [UInt8] = []

  /// Reads the value of a WWW-Authenticate or Proxy-Authenticate field.
  init(_ value: Span<UInt8>, isProxy: Bool) {
    func octets(_ name: StaticString) -> [UInt8] {
      var copy: [UInt8] = []
      if let found = Self.parameter(name, in: value) { copy.append(value.extracting(found)) }
      return copy
    }
    realm = octets("realm")
    nonce = octets("nonce")
    opaque = octets("opaque")
    isSHA256 = octets("algorithm").span.equalsIgnoringCase("sha-256")
    hasQuality = Self.parameter("qop", in: value) != nil
    self.isProxy = isProxy
  }

  /// Where the value of a parameter stands, without its quotes; `name` in small letters.
  static func parameter(_ name: StaticString, in value: Span<UInt8>) -> Range<Int>? {
    var position = value.position(of: 0x20, from: 0) ?? 0
    while position < value.count {
      while position < value.count, value[position] <= 0x20 || value[position] == 0x2C { position += 1 }
      let start = position
      while position < value.count, value[position] != 0x3D { position += 1 }
      guard position < value.count else { return nil }
      let found = value.extracting(start..<position)
      position += 1
      let content: Range<Int>
      if position < value.count, value[position] == 0x22 {
        let end = value.position(of: 0x22, from: position + 1) ?? value.count
        content = position + 1..<end
        position = end + 1
      } else {
        let end = value.position(of: 0x2C, from: position) ?? value.count
        content = position..<end
        position = end
      }
      if found.equalsIgnoringCase(name) { return content }
    }
    return nil
  }
}

/// Answers challenges. One value serves a whole worker (RFC 7616 §3.4, RFC 8760 §2.3).
struct DigestAnswerer {
  private var scratch: [UInt8] = []
  private var requestHash: [UInt8] = []
  private let digests = MessageDigests()

  /// Appends a whole Authorization or Proxy-Authorization line for a request of `method` to `uri`.
  mutating func append(
    _ challenge: DigestChallenge, user: [UInt8], password: [UInt8], method: StaticString, uri: [UInt8],
    clientNonce: UInt64, to output: inout [UInt8]
  ) {
    challenge.count += 1
    if challenge.userHash.isEmpty { challenge.userHash = userHash(challenge, user, password) }
    output.append(challenge.isProxy ? "Proxy-Authorization: Digest username=\"" : "Authorization: Digest username=\"")
    output.append(contentsOf: user)
    output.append("\", realm=\"")
    output.append(contentsOf: challenge.realm)
    output.append("\", nonce=\"")
    output.append(contentsOf: challenge.nonce)
    output.append("\", uri=\"")
    output.append(contentsOf: uri)
    output.append("\", response=\"")
    appendResponse(challenge, method: method, uri: uri, clientNonce: clientNonce, to: &output)
    output.append(challenge.isSHA256 ? "\", algorithm=SHA-256" : "\", algorithm=MD5")
    if challenge.hasQuality {
      output.append(", qop=auth, cnonce=\"")
      output.append(hexadecimal: clientNonce, digits: 16)
      output.append("\", nc=")
      output.append(hexadecimal: challenge.count, digits: 8)
    }
    if !challenge.opaque.isEmpty {
      output.append(", opaque=\"")
      output.append(contentsOf: challenge.opaque)
      output.append("\"")
    }
    output.append("\r\n")
  }

  private mutating func userHash(_ challenge: DigestChallenge, _ user: [UInt8], _ password: [UInt8]) -> [UInt8] {
    var hash: [UInt8] = []
    digests.appendHexadecimal(challenge.isSHA256, user + [0x3A] + challenge.realm + [0x3A] + password, to: &hash)
    return hash
  }

  private mutating func appendResponse(
    _ challenge: DigestChallenge, method: StaticString, uri: [UInt8], clientNonce: UInt64, to output: inout [UInt8]
  ) {
    scratch.removeAll(keepingCapacity: true)
    scratch.append(method)
    scratch.append(0x3A)
    scratch.append(contentsOf: uri)
    requestHash.removeAll(keepingCapacity: true)
    digests.appendHexadecimal(challenge.isSHA256, scratch, to: &requestHash)
    scratch.removeAll(keepingCapacity: true)
    scratch.append(contentsOf: challenge.userHash)
    scratch.append(0x3A)
    scratch.append(contentsOf: challenge.nonce)
    scratch.append(0x3A)
    if challenge.hasQuality {
      scratch.append(hexadecimal: challenge.count, digits: 8)
      scratch.append(0x3A)
      scratch.append(hexadecimal: clientNonce, digits: 16)
      scratch.append(":auth:")
    }
    scratch.append(contentsOf: requestHash)
    digests.appendHexadecimal(challenge.isSHA256, scratch, to: &output)
  }
}
