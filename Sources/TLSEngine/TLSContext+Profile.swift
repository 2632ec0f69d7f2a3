extension TLSContext {
  /// The context that serves clients which send this name: another's, or this one.
  public func serving(_ serverName: String?) -> TLSContext {
    serverName.flatMap { named[$0.lowercased()] } ?? self
  }

  /// The profile of a connection whose client sent this name.
  public func profile(forServerName serverName: String?) -> String { serving(serverName).profile }

  /// The certificate that we show to a client which sends this name, or to a server; nil when we have none.
  public func certificate(forServerName serverName: String?) -> PeerCertificate? { serving(serverName).certificate }
}
