/// A certificate with those behind it, and its key.
public struct TLSKeyPair: Sendable, Equatable {
  /// The resolved path of the certificates.
  public var certificateFile: String
  /// The certificate and its chain, leaf first.
  public var certificatePEM: [UInt8]
  /// The resolved path of the key.
  public var keyFile: String
  /// The private key of the leaf, not encrypted.
  public var privateKeyPEM: [UInt8]

  /// A pair from its parts.
  public init(certificateFile: String, certificatePEM: [UInt8], keyFile: String, privateKeyPEM: [UInt8]) {
    self.certificateFile = certificateFile
    self.certificatePEM = certificatePEM
    self.keyFile = keyFile
    self.privateKeyPEM = privateKeyPEM
  }
}

/// What server and client profiles choose alike.
public struct TLSChoices: Sendable, Equatable {
  /// Cipher suites of TLS 1.2 and older in OpenSSL's words; nil: those with forward secrecy and authenticated encryption.
  public var cipherList: String?
  /// Cipher suites of TLS 1.3 in OpenSSL's words; nil: OpenSSL's choice.
  public var ciphersuites: String?
  /// Groups for the key exchange in OpenSSL's words, the preferred first; nil: X25519, P-256, P-384.
  public var groups: String?
  /// Authorities above a peer's own certificate at most.
  public var verifyDepth = 9
  /// From the TCP connection to the end of the handshake; nil: `timeouts.handshake`.
  public var handshakeTime: Duration?
  /// Without progress while octets wait to be sent; nil: `timeouts.send`.
  public var sendTime: Duration?
  /// The level of the lines that tell of connections.
  public var logLevel = NodeConfiguration.Log.Level.info
  /// Files and directories of certificates, keys and authorities.
  public var files: [String] = []

  /// The defaults of the settings.
  public init() {}

  /// Whether the cipher list asks for suites that don't encrypt; `!NULL` and `-NULL` exclude them.
  public var namesNull: Bool {
    guard let list = cipherList?.uppercased() else { return false }
    return list.split(whereSeparator: { ":, ".contains($0) }).contains { item in
      guard item.first != "!", item.first != "-" else { return false }
      return item.split(whereSeparator: { "+-".contains($0) }).contains {
        ["NULL", "ENULL", "COMPLEMENTOFALL"].contains($0)
      }
    }
  }
}

extension TLSVersion {
  /// The name in the settings, such as `TLSv1.2`.
  var name: String { self == .v10 ? "TLSv1" : "TLSv1.\(rawValue - 10)" }
}

extension TextRule {
  /// Why a text is no version that can be spoken.
  static func versionProblem(_ text: String) -> ValueProblem {
    if text.lowercased().hasPrefix("sslv") {
      return ValueProblem(
        problem: "\(text) is broken (RFC 6176, RFC 7568), and OpenSSL has it no more",
        remedy:
          "give TLSv1.2; phones that know nothing newer than SSL need new firmware, or to come over TCP from a network of "
          + "their own")
    }
    return ValueProblem(
      problem: "'\(text)' is not a TLS version", remedy: "give TLSv1.2 or TLSv1.3; TLSv1 and TLSv1.1 are broken")
  }
}
