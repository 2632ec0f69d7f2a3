import COpenSSL

extension TLSSettings {
  /// A certificate of ours, with those above it, and its key.
  public struct KeyPair: Sendable {
    /// The certificate, then those that lead from it to an authority, in PEM; nil: none.
    public var chain: [UInt8]?
    /// The private key, in PEM, without a passphrase.
    public var privateKey: [UInt8]?
    /// How messages name the chain, for instance by its file.
    public var chainName = "certificate"
    /// How messages name the key.
    public var keyName = "private key"

    /// A pair from its parts.
    public init(chain: [UInt8]? = nil, privateKey: [UInt8]? = nil) {
      self.chain = chain
      self.privateKey = privateKey
    }
  }

  /// The first pair's certificate and those above it; a server must have one.
  public var chain: [UInt8]? {
    get { pairs.first?.chain }
    set { changeFirst { $0.chain = newValue } }
  }

  /// The private key of the first pair.
  public var privateKey: [UInt8]? {
    get { pairs.first?.privateKey }
    set { changeFirst { $0.privateKey = newValue } }
  }

  private mutating func changeFirst(_ change: (inout KeyPair) -> Void) {
    if pairs.isEmpty { pairs.append(KeyPair()) }
    change(&pairs[0])
  }
}

extension TLSContext {
  /// Shows these certificates, one for each kind of key; which of them goes by what the peer can verify.
  func useIdentities(_ pairs: [TLSSettings.KeyPair]) throws(TLSError) {
    let given = pairs.filter { $0.chain != nil }
    if given.isEmpty, role == .server { throw TLSError(.configuration, "certificate: none given") }
    var kinds: [String: String] = [:]
    for pair in given {
      guard let chain = pair.chain else { continue }
      guard let key = pair.privateKey else { throw TLSError(.configuration, "\(pair.keyName): none given") }
      if let review = ChainReview(chain, key: key) {
        if let mismatch = review.keyProblem { throw TLSError(.configuration, "\(pair.keyName): \(mismatch)") }
        if let other = kinds[review.keyKind] {
          throw TLSError(
            .configuration,
            "\(pair.chainName): a second certificate with a key of the kind \(review.keyKind), beside \(other)")
        }
        kinds[review.keyKind] = pair.chainName
      }
      if copenssl_use_chain(pointer, chain, chain.count) != 1 { throw .configuration(pair.chainName) }
      if copenssl_use_key(pointer, key, key.count) != 1 { throw .configuration(pair.keyName) }
    }
  }
}
