import Configuration
import Reactor
import SIPServer
import Structures
import TLSEngine
import Transport

/// Finds out what the certificates of peers prove, once for each connection when it is opened, and again when the settings for it change.
final class CertificateDesk {
  /// Work of a turn on connections that stand while the settings change.
  private static let turnTime = Duration.milliseconds(1)

  private unowned let node: WorkerNode
  private var mapping: CertificateMapping
  /// Connections to be looked at again.
  private var rechecks: [UInt64] = []

  init(node: WorkerNode, _ configuration: NodeConfiguration) {
    self.node = node
    mapping = CertificateMapping(configuration)
  }

  /// A connection can be used; nothing came over it yet.
  func opened(_ flow: Flow, _ certificate: PeerCertificate?) {
    guard flow.isVerified, !mapping.isEmpty, let certificate else { return }
    introduce(flow, mapping.finding(certificate))
  }

  /// Other settings hold. Connections that stand are looked at again within the next turns; until then what was proved holds on.
  func adopt(_ configuration: NodeConfiguration) {
    let new = CertificateMapping(configuration)
    guard new != mapping else { return }
    mapping = new
    rechecks = node.transport.verifiedConnections
    if !rechecks.isEmpty { node.loop.turnAgain() }
  }

  /// To be called in each turn.
  func turn() {
    guard !rechecks.isEmpty else { return }
    let start = System.monotonicNow
    while let id = rechecks.popLast() {
      recheck(id)
      if System.monotonicNow - start >= Self.turnTime { break }
    }
    if !rechecks.isEmpty { node.loop.turnAgain() }
  }

  private func recheck(_ id: UInt64) {
    guard let report = node.transport.report(of: id), report.flow.isVerified, let peer = report.tls?.peer else {
      return
    }
    let finding = mapping.finding(peer)
    // Other workers know of a trusted peer by its connection: so that ends with the trust.
    if report.flow.isTrusted, !finding.isTrusted { node.transport.close(report.flow.id, afterFlush: true) }
    introduce(report.flow, finding)
  }

  private func introduce(_ flow: Flow, _ finding: CertificateMapping.Finding) {
    guard case .stream(let stream) = flow.id else { return }
    node.core.certificateProves(finding.peer, over: stream)
    node.transport.setTrusted(finding.isTrusted, connection: stream.connection)
  }
}
