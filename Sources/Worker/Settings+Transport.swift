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
    chain = profile.certificatePEM
    privateKey = profile.privateKeyPEM
    authorities = profile.caListPEM
    verification =
      switch profile.verifyClient {
      case .off: .off
      case .optional: .optional
      case .require: .required
      }
    minimumVersion = TLSProtocolVersion(profile.minimumVersion)
    maximumVersion = TLSProtocolVersion(profile.maximumVersion)
    cipherList = profile.cipherList
    cipherSuites = profile.ciphersuites
    revocation = RevocationSettings(profile.revocation)
  }

  /// A client profile.
  init(_ profile: TLSClientProfile, name: String, detaches: Bool = false) {
    self.init()
    self.detaches = detaches
    self.profile = name
    chain = profile.certificatePEM
    privateKey = profile.privateKeyPEM
    authorities = profile.caListPEM
    verification = profile.verifyCertificate ? .required : .off
    revocation = RevocationSettings(profile.revocation)
    minimumVersion = TLSProtocolVersion(profile.minimumVersion)
    maximumVersion = TLSProtocolVersion(profile.maximumVersion)
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
      case .v12: .v12
      case .v13: .v13
      }
  }
}
