import Logging
import Structures
import TLSEngine
import Transport

/// Log lines for connections in the words that administrators of SIP servers look for.
struct ConnectionLog {
  private let log: Logger

  init(_ log: Logger) { self.log = log }

  /// A connection can be used.
  func opened(_ flow: Flow, _ facts: ConnectionFacts) {
    guard let tls = facts.tls else {
      let direction = facts.isAccepted ? "tcp_accept: new connection from" : "tcp_connect: new connection to"
      log.debug("\(direction) \(flow.remote) on \(flow.local)")
      return
    }
    guard log.logLevel <= .info else { return }
    let verb = facts.isAccepted ? "tls_accept" : "tls_connect"
    let direction = facts.isAccepted ? "from" : "to"
    log.info("\(verb): new connection \(direction) \(flow.remote) using \(tls.version) \(tls.cipher) \(tls.cipherBits)")
    log.info("\(verb): \(facts.isAccepted ? "local" : "sending") socket: \(flow.local)")
    let side = facts.isAccepted ? "client" : "server"
    guard let peer = tls.peer else {
      log.info("\(verb): \(side) did not present a certificate")
      return
    }
    log.info("\(verb): \(side) certificate subject:\(peer.subject)")
    log.info("\(verb): \(side) certificate issuer:\(peer.issuer)")
  }

  /// A connection came to its end.
  func closed(_ flow: Flow, _ reason: CloseReason) {
    switch reason {
    case .peerClosed, .ordered, .shutdown:
      log.debug("connection closed", metadata: ["peer": "\(flow.remote)", "reason": "\(text(reason))"])
    case .system, .tls, .deadline, .framing:
      log.info("connection closed", metadata: ["peer": "\(flow.remote)", "reason": "\(text(reason))"])
    }
  }

  /// A connection ended before it could be used.
  func failed(_ local: SocketAddress, _ remote: SocketAddress, _ isServer: Bool, _ failure: HandshakeFailure) {
    let verb = isServer ? "tls_accept" : "tls_connect"
    let direction = isServer ? "from" : "to"
    switch failure {
    case .tls(let error):
      log.warning("\(verb): handshake failed \(direction) \(remote) on \(local): \(error.text)")
    case .deadline:
      log.info("\(verb): no handshake in time \(direction) \(remote) on \(local)")
    case .abandoned:
      log.debug("\(verb): handshake abandoned \(direction) \(remote) on \(local)")
    }
  }

  private func text(_ reason: CloseReason) -> String {
    switch reason {
    case .peerClosed: "closed by the peer"
    case .system(let code): "system error \(code)"
    case .tls(let error): error.text
    case .deadline(let deadline): "too slow: \(deadline)"
    case .framing(let error): "no SIP message: \(error)"
    case .ordered: "closed by us"
    case .shutdown: "shutdown"
    }
  }
}
