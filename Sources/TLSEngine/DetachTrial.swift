import Glibc
import Structures

/// Whether established connections can go on without their SSL object with this OpenSSL: tried out, for no document
/// promises all that it rests on.
public enum DetachTrial {
  /// Why it can't be done; nil when every suite passed. Tried once in a process, in some 30 ms.
  public static let failure: String? = run()

  private static let suites = [
    "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
  ]

  private static func run() -> String? {
    do {
      let authority = try CertificateAuthority(name: "trial", days: 1)
      let pair = try authority.makeServerCertificate(names: ["trial.invalid"], days: 1)
      for suite in suites {
        for isServer in [true, false] {
          let ends = try Ends(suite, pair, authority, detachesServer: isServer)
          if let failure = ends.failure(detachesServer: isServer) {
            return "\(suite), \(isServer ? "server" : "client"): \(failure)"
          }
        }
      }
      return nil
    } catch {
      return "\(error)"
    }
  }

  /// A session that is detached and one that isn't, over a pair of sockets.
  private final class Ends {
    private let sockets: [Int32]
    private let server: TLSSession
    private let client: TLSSession
    private let isModern: Bool

    init(
      _ suite: String, _ pair: CertificatePair, _ authority: CertificateAuthority, detachesServer: Bool
    ) throws(TLSError) {
      var sockets: [Int32] = [-1, -1]
      guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &sockets) == 0 else {
        throw TLSError(.system, "socketpair")
      }
      self.sockets = sockets
      isModern = suite.hasPrefix("TLS_")
      var settings = TLSSettings()
      settings.chain = pair.certificate
      settings.privateKey = pair.privateKey
      settings.authorities = authority.pair.certificate
      if isModern { settings.cipherSuites = suite } else { settings.cipherList = suite }
      settings.maximumVersion = isModern ? .v13 : .v12
      settings.detaches = detachesServer
      do {
        server = try TLSSession(try TLSContext(.server, settings), descriptor: sockets[0])
        settings.detaches = !detachesServer
        client = try TLSSession(
          try TLSContext(.client, settings), descriptor: sockets[1], peerName: "trial.invalid")
      } catch {
        for socket in sockets { close(socket) }
        throw error
      }
    }

    deinit { for socket in sockets { close(socket) } }

    func failure(detachesServer: Bool) -> String? {
      var steps = (server: HandshakeStep.wantRead, client: HandshakeStep.wantRead)
      for _ in 0..<10 where steps.server != .done || steps.client != .done {
        if steps.client != .done { steps.client = client.handshake() }
        if steps.server != .done { steps.server = server.handshake() }
      }
      guard steps == (.done, .done) else { return "no handshake" }
      let (detached, other) = detachesServer ? (server, client) : (client, server)
      guard detached.isDetached else { return "not detached" }
      guard echoes(detached, other) else { return "octets lost" }
      guard isModern else { return nil }
      guard detached.updateKeys(asks: true), echoes(detached, other), echoes(detached, other) else {
        return "lost after new keys"
      }
      return nil
    }

    private func echoes(_ one: TLSSession, _ two: TLSSession) -> Bool {
      carries(one, two, [1, 2, 3]) && carries(two, one, Array(repeating: 7, count: 20_000)) && carries(one, two, [4])
    }

    private func carries(_ from: TLSSession, _ to: TLSSession, _ octets: [UInt8]) -> Bool {
      var (sent, received) = (0, [UInt8]())
      var buffer = [UInt8](repeating: 0, count: 16_384)
      // What carries no octets, a ticket or new keys, takes a turn of its own.
      for _ in 0..<20 where received.count < octets.count {
        if sent < octets.count, case .octets(let count) = from.write(octets.span.extracting(sent...)) { sent += count }
        if case .octets(let count) = to.read(into: &buffer) { received += buffer[..<count] }
      }
      return received == octets
    }
  }
}
