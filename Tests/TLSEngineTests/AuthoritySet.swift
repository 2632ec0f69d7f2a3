import Foundation
import Testing

@testable import TLSEngine

/// Certificates and lists that the openssl command made, as an administrator would (`Tests/Clients/authority.py`): a root, an
/// intermediate, leaves of it with an OCSP responder named in them, and lists. Made once for all tests.
struct AuthoritySet {
  static let shared = Result { try AuthoritySet() }

  let folder: URL

  private init() throws {
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Clients/authority.py")
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("apus-authority-\(getpid())")
    try? FileManager.default.removeItem(at: folder)
    atexit {
      if case .success(let set) = AuthoritySet.shared { try? FileManager.default.removeItem(at: set.folder) }
    }
    try Self.run("/usr/bin/env", ["python3", script.path, folder.path])
  }

  /// Runs a command to its end.
  static func run(_ executable: String, _ words: [String], in directory: URL? = nil) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = words
    process.currentDirectoryURL = directory
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "\(words)")
  }

  /// A file below the folder.
  func octets(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: folder.appendingPathComponent(path))) }

  /// A context with a leaf of the intermediate (none: a client without) that trusts the root, with these lists.
  func context(
    _ role: TLSContext.Role, leaf: String? = nil, lists: [String] = [], issuers: IssuerTable = IssuerTable(),
    tickets: TicketKeyRing? = nil, _ change: (inout TLSSettings) -> Void = { _ in }
  ) throws -> TLSContext {
    var settings = TLSSettings()
    if let leaf {
      settings.chain = try octets("middle/\(leaf).pem")
      settings.privateKey = try octets("middle/\(leaf).key")
    }
    settings.authorities = try octets("root/root.pem")
    settings.verification = .required
    settings.revocation.lists = try lists.map { .init(name: $0, octets: try octets($0)) }
    change(&settings)
    return try TLSContext(role, settings, issuers: issuers, tickets: tickets)
  }

  /// What comes of a handshake in which the side in `role` looks the other up in lists.
  func handshake(
    _ role: TLSContext.Role, peer leaf: String, lists: [String], issuers: IssuerTable = IssuerTable(),
    _ change: (inout TLSSettings) -> Void = { _ in }
  ) throws -> (wire: Wire, looking: HandshakeStep) {
    let server = try context(
      .server, leaf: role == .server ? "good" : leaf, lists: role == .server ? lists : [], issuers: issuers
    ) {
      settings in
      if role == .server { change(&settings) } else { settings.verification = .off }
    }
    let client = try context(
      .client, leaf: role == .server ? leaf : nil, lists: role == .client ? lists : [], issuers: issuers
    ) {
      settings in
      if role == .client { change(&settings) }
    }
    let wire = try Wire(server, client, name: "example.test")
    let steps = wire.handshake()
    return (wire, role == .server ? steps.server : steps.client)
  }
}
