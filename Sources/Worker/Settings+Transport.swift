import Configuration
import TLSEngine
import Transport

extension TransportSettings {
  /// The transport's settings from the node's configuration.
  init(_ configuration: NodeConfiguration) {
    self.init()
    let (limits, timeouts) = (configuration.limits, configuration.timeouts)
    handshakeTime = timeouts.handshake
    firstMessageTime = timeouts.firstMessage
    messageTime = timeouts.message
    sendTime = timeouts.send
    connectTime = timeouts.connect
    idleTime = timeouts.idle
    acknowledgementTime = timeouts.unacknowledged
    userTimeout = timeouts.tcpUserTimeout
    keepAliveIdle = timeouts.tcpKeepalive
    maximumConnections = limits.connections
    maximumConnectionsPerAddress = limits.connectionsPerAddress
    maximumHandshakes = limits.handshakes
    maximumHandshakesPerAddress = limits.handshakesPerAddress
    maximumQueuedBytes = limits.outputQueue
    maximumHead = limits.headerSize
    maximumMessage = limits.messageSize
  }
}

extension TLSSettings {
  /// A server profile.
  init(_ profile: TLSServerProfile, name: String, detaches: Bool = false) {
    self.init()
    self.detaches = detaches
    self.profile = name
    pairs = profile.pairs.map { KeyPair($0) }
    authorities = profile.caListPEM
    verification =
      switch profile.verifyClient {
      case .off: .off
      case .optional: .optional
      case .require: .required
      }
    minimumVersion = TLSProtocolVersion(profile.minimumVersion)
    maximumVersion = TLSProtocolVersion(profile.maximumVersion)
    adopt(profile.choices)
    revocation = RevocationSettings(profile.revocation)
  }

  /// A client profile.
  init(_ profile: TLSClientProfile, name: String, detaches: Bool = false) {
    self.init()
    self.detaches = detaches
    self.profile = name
    pairs = profile.pairs.map { KeyPair($0) }
    authorities = profile.caListPEM
    verification = profile.verifyCertificate ? .required : .off
    allowsWildcards = profile.allowsWildcards
    adopt(profile.choices)
    revocation = RevocationSettings(profile.revocation)
    minimumVersion = TLSProtocolVersion(profile.minimumVersion)
    maximumVersion = TLSProtocolVersion(profile.maximumVersion)
  }
}

extension TLSSettings {
  /// What server and client profiles choose alike.
  mutating func adopt(_ choices: TLSChoices) {
    cipherList = choices.cipherList
    cipherSuites = choices.ciphersuites
    groups = choices.groups
    verifyDepth = choices.verifyDepth
    handshakeTime = choices.handshakeTime
    sendTime = choices.sendTime
    permitsNull = choices.namesNull
  }
}

extension TLSSettings.KeyPair {
  /// A pair of files.
  init(_ pair: TLSKeyPair) {
    self.init(chain: pair.certificatePEM, privateKey: pair.privateKeyPEM)
    (chainName, keyName) = (pair.certificateFile, pair.keyFile)
  }
}

extension RevocationSettings {
  /// What a profile says of revoked certificates.
  init(_ profile: RevocationProfile) {
    self.init()
    lists = profile.lists.map { File(name: $0.path, octets: $0.octets) }
    depth = profile.depth == .leaf ? .leaf : .chain
    toleratesExpiredLists = profile.expiry == .warn
    ocsp.mode =
      switch profile.ocsp {
      case .off: .off
      case .soft: .soft
      case .hard: .hard
      }
    ocsp.responder = profile.responder
    ocsp.limit = profile.ocspTime
    ocsp.recheck = profile.recheck
    stapling = profile.stapling
  }
}

extension TLSProtocolVersion {
  init(_ version: TLSVersion) {
    self =
      switch version {
      case .v10: .v10
      case .v11: .v11
      case .v12: .v12
      case .v13: .v13
      }
  }
}
