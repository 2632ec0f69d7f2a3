import COpenSSL

/// What a session keeps of its handshake when its SSL object is gone: a few octets, for most peers show no certificate.
struct KeptFacts {
  private final class Peer {
    let certificate: PeerCertificate
    init(_ certificate: PeerCertificate) { self.certificate = certificate }
  }

  private var peer: Peer?
  private(set) var isResumed = false
  private var isVerified = false

  init() {}

  /// Those of a connection whose peer showed no certificate.
  init(isResumed: Bool) { self.isResumed = isResumed }

  /// Whether the peer showed a certificate.
  var hasPeer: Bool { peer != nil }

  /// Reads them from an SSL object.
  init(of connection: OpaquePointer) {
    peer = copenssl_peer_certificate(connection).map { Peer(PeerCertificate(reading: $0)) }
    isResumed = copenssl_is_resumed(connection)
    isVerified = copenssl_is_verified(connection)
  }

  /// The facts in full.
  func facts(version: UInt16, suite: UInt16, serverName: String?) -> TLSFacts {
    let cipher = Self.cipher(suite)
    return TLSFacts(
      version: version == 0x0304 ? "TLSv1.3" : "TLSv1.2", cipher: cipher.name, cipherBits: cipher.bits,
      serverName: serverName, isResumed: isResumed, isVerified: isVerified, peer: peer?.certificate)
  }

  /// The suites of detached sessions in OpenSSL's words.
  private static func cipher(_ suite: UInt16) -> (name: String, bits: Int) {
    switch suite {
    case 0x1301: ("TLS_AES_128_GCM_SHA256", 128)
    case 0x1302: ("TLS_AES_256_GCM_SHA384", 256)
    case 0x1303: ("TLS_CHACHA20_POLY1305_SHA256", 256)
    case 0xC02B: ("ECDHE-ECDSA-AES128-GCM-SHA256", 128)
    case 0xC02C: ("ECDHE-ECDSA-AES256-GCM-SHA384", 256)
    case 0xC02F: ("ECDHE-RSA-AES128-GCM-SHA256", 128)
    case 0xC030: ("ECDHE-RSA-AES256-GCM-SHA384", 256)
    case 0xCCA8: ("ECDHE-RSA-CHACHA20-POLY1305", 256)
    case 0xCCA9: ("ECDHE-ECDSA-CHACHA20-POLY1305", 256)
    case 0x009E: ("DHE-RSA-AES128-GCM-SHA256", 128)
    case 0x009F: ("DHE-RSA-AES256-GCM-SHA384", 256)
    case 0xCCAA: ("DHE-RSA-CHACHA20-POLY1305", 256)
    case 0x009C: ("AES128-GCM-SHA256", 128)
    case 0x009D: ("AES256-GCM-SHA384", 256)
    default: ("unknown", 0)
    }
  }
}
