import Logging
import Structures
import TLSEngine
import Transport

/// Log lines for connections in the words that administrators of SIP servers look for. Of those that tell of trouble, which
/// costs a stranger nothing to make, so many are written as ``LogAllowance`` permits.
struct ConnectionLog {
  private var log: Logger
  private var allowance: LogAllowance
  private var levels: (server: [String: Logger.Level], client: [String: Logger.Level]) = ([:], [:])

  init(_ log: Logger, start: Instant) {
    self.log = log
    allowance = LogAllowance(start)
  }

  /// Writes lines of this level and above from now on.
  mutating func setLevel(_ level: Logger.Level) { log.logLevel = level }

  /// The level of the lines that tell of new connections, by TLS profile; info for all others.
  mutating func setLevels(server: [String: Logger.Level], client: [String: Logger.Level]) {
    levels = (server.filter { $0.value != .info }, client.filter { $0.value != .info })
  }

  private func level(_ facts: ConnectionFacts) -> Logger.Level {
    let own = facts.isAccepted ? levels.server : levels.client
    return own.isEmpty ? .info : facts.profile.flatMap { own[$0] } ?? .info
  }

  /// To be called now and then: tells of lines that were not written.
  mutating func tellSuppressed() {
    let count = allowance.takeSuppressed()
    if count > 0 { log.warning("\(count) more connections failed or were closed; their lines were left out") }
  }

  /// A connection can be used.
  func opened(_ flow: Flow, _ facts: ConnectionFacts) {
    guard let tls = facts.tls else {
      let direction = facts.isAccepted ? "tcp_accept: new connection from" : "tcp_connect: new connection to"
      log.debug("\(direction) \(flow.remote) on \(flow.local)")
      return
    }
    let level = level(facts)
    guard log.logLevel <= level else { return }
    let verb = facts.isAccepted ? "tls_accept" : "tls_connect"
    let direction = facts.isAccepted ? "from" : "to"
    let agreed = "\(tls.version) \(tls.cipher) \(tls.cipherBits)"
    log.log(level: level, "\(verb): new connection \(direction) \(flow.remote) using \(agreed)")
    log.log(level: level, "\(verb): \(facts.isAccepted ? "local" : "sending") socket: \(flow.local)")
    let side = facts.isAccepted ? "client" : "server"
    guard let peer = tls.peer else {
      log.log(level: level, "\(verb): \(side) did not present a certificate")
      return
    }
    log.log(level: level, "\(verb): \(side) certificate subject:\(peer.subject)")
    log.log(level: level, "\(verb): \(side) certificate issuer:\(peer.issuer)")
  }

  /// A connection came to its end.
  mutating func closed(_ flow: Flow, _ reason: CloseReason, at now: Instant) {
    switch reason {
    case .peerClosed, .ordered, .shutdown:
      log.debug("connection closed", metadata: ["peer": "\(flow.remote)", "reason": "\(text(reason))"])
    case .tls(let error) where error.kind == .revoked:
      log.warning("connection ended: \(error.text)", metadata: ["peer": "\(flow.remote)", "local": "\(flow.local)"])
    case .system, .tls, .deadline, .framing:
      guard log.logLevel <= .info, allowance.take(now) else { return }
      log.info("connection closed", metadata: ["peer": "\(flow.remote)", "reason": "\(text(reason))"])
    }
  }

  /// What was written to a connection isn't acknowledged.
  mutating func suspected(_ flow: Flow, at now: Instant) {
    guard log.logLevel <= .info, allowance.take(now) else { return }
    log.info("connection in doubt: what was sent is not acknowledged", metadata: ["peer": "\(flow.remote)"])
  }

  /// A connection that was in doubt lives.
  mutating func recovered(_ flow: Flow, at now: Instant) {
    guard log.logLevel <= .info, allowance.take(now) else { return }
    log.info("connection recovered", metadata: ["peer": "\(flow.remote)"])
  }

  /// A connection ended before it could be used.
  mutating func failed(
    _ local: SocketAddress, _ remote: SocketAddress, _ isServer: Bool, _ failure: HandshakeFailure, at now: Instant
  ) {
    let level: Logger.Level =
      switch failure {
      case .tls: .warning
      case .deadline: .info
      case .abandoned: .debug
      }
    guard log.logLevel <= level, allowance.take(now) else { return }
    let verb = isServer ? "tls_accept" : "tls_connect"
    let direction = isServer ? "from" : "to"
    switch failure {
    case .tls(let error):
      log.log(level: level, "\(verb): handshake failed \(direction) \(remote) on \(local): \(error.text)")
    case .deadline: log.log(level: level, "\(verb): no handshake in time \(direction) \(remote) on \(local)")
    case .abandoned: log.log(level: level, "\(verb): handshake abandoned \(direction) \(remote) on \(local)")
    }
  }

  private func text(_ reason: CloseReason) -> String {
    switch reason {
    case .peerClosed: "closed by the peer"
    case .system(let code): "system error \(code)"
    case .tls(let error): error.text
    case .deadline(.silence): "silent beyond its Flow-Timer"
    case .deadline(let deadline): "too slow: \(deadline)"
    case .framing(let error): "no SIP message: \(error)"
    case .ordered: "closed by us"
    case .shutdown: "shutdown"
    }
  }
}
