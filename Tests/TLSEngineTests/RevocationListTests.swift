import Testing

@testable import TLSEngine

private func kind(_ step: HandshakeStep) -> TLSError.Kind? {
  if case .failed(let error) = step { error.kind } else { nil }
}

@Suite("Lists of revoked certificates, RFC 5280 §6.3")
struct RevocationListTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let peer: String
    let lists: [String]
    var depth = RevocationSettings.Depth.chain
    var isTolerant = false
    /// Nil: let in.
    let refusal: TLSError.Kind?

    var testDescription: String { "\(peer) by \(lists)\(isTolerant ? ", tolerant" : ""), \(depth)" }
  }

  static let cases = [
    Case(peer: "revoked", lists: [], refusal: nil),
    Case(peer: "good", lists: ["middle.crl"], refusal: nil),
    Case(peer: "revoked", lists: ["middle.crl"], refusal: .revoked),
    Case(peer: "revoked", lists: ["empty.crl"], refusal: nil),
    Case(peer: "revoked", lists: ["middle.crl", "root.crl"], depth: .leaf, refusal: .revoked),
    // The peer's own needs a list of its issuer, those above it don't.
    Case(peer: "good", lists: ["root.crl"], refusal: .certificate),
    Case(peer: "good", lists: ["middle.crl", "root.crl"], refusal: nil),
    Case(peer: "good", lists: ["middle.crl", "root-revokes.crl"], refusal: .revoked),
    Case(peer: "good", lists: ["middle.crl", "root-revokes.crl"], depth: .leaf, refusal: nil),
    Case(peer: "good", lists: ["expired.crl"], refusal: .crlExpired),
    Case(peer: "good", lists: ["expired.crl"], isTolerant: true, refusal: nil),
    Case(peer: "revoked", lists: ["expired.crl"], isTolerant: true, refusal: .revoked),
    // Of the right name, but with another key.
    Case(peer: "good", lists: ["forged.crl"], refusal: .certificate),
  ]

  @Test("lets peers in by the lists, whichever side looks", arguments: cases, [TLSContext.Role.server, .client])
  func handshakes(_ test: Case, _ role: TLSContext.Role) throws {
    let set = try AuthoritySet.shared.get()
    let (wire, step) = try set.handshake(role, peer: test.peer, lists: test.lists) { settings in
      settings.revocation.depth = test.depth
      settings.revocation.toleratesExpiredLists = test.isTolerant
    }
    #expect(kind(step) == test.refusal)
    #expect((step == .done) == (test.refusal == nil))
    let looking = role == .server ? wire.server : wire.client
    #expect((looking.peerChain != nil) == (test.refusal == nil))
  }

  @Test("a list that has expired is named in the error")
  func nameOfExpired() throws {
    let set = try AuthoritySet.shared.get()
    let (_, step) = try set.handshake(.server, peer: "good", lists: ["expired.crl"])
    guard case .failed(let error) = step else {
      Issue.record("\(step)")
      return
    }
    #expect(error.text == "certificate verify failed: CRL has expired (expired.crl)")
  }

  @Test("who came in before is known by serial number and issuer", arguments: [TLSContext.Role.server, .client])
  func established(_ role: TLSContext.Role) throws {
    let set = try AuthoritySet.shared.get()
    let issuers = IssuerTable()
    let (revoked, first) = try set.handshake(role, peer: "revoked", lists: [], issuers: issuers)
    let (good, second) = try set.handshake(role, peer: "good", lists: [], issuers: issuers)
    try #require(first == .done && second == .done)
    let chains = try [revoked, good].map { try #require(role == .server ? $0.server.peerChain : $0.client.peerChain) }
    #expect(chains[0].links.count == 2)
    #expect(chains[0].links[0].issuer === chains[1].links[0].issuer)
    #expect(chains.allSatisfy { $0.role == role && $0.profile == "default" })

    func later(_ lists: [String], _ depth: RevocationSettings.Depth = .chain) throws -> [TLSError.Kind?] {
      let context = try set.context(role, leaf: "good", lists: lists, issuers: issuers) { $0.revocation.depth = depth }
      return chains.map { context.revocation(of: $0)?.kind }
    }
    #expect(try later([]) == [nil, nil])
    #expect(try later(["empty.crl"]) == [nil, nil])
    #expect(try later(["middle.crl"]) == [.revoked, nil])
    #expect(try later(["middle.crl", "root-revokes.crl"]) == [.revoked, .revoked])
    #expect(try later(["root-revokes.crl"], .leaf) == [nil, nil])
    // It names the good one, but is signed by somebody else.
    #expect(try later(["forged.crl"]) == [nil, nil])
  }

  @Test("nothing is kept of a peer without a certificate")
  func withoutCertificate() throws {
    let set = try AuthoritySet.shared.get()
    let server = try set.context(.server, leaf: "good", lists: ["middle.crl"]) { $0.verification = .optional }
    let wire = try Wire(server, try set.context(.client), name: "example.test")
    #expect(wire.handshake() == (.done, .done))
    #expect(wire.server.peerChain == nil)
    #expect(wire.client.peerChain != nil)
  }

  @Test("a file that is no list, and a list with the wrong signature, are refused with the file's name")
  func unusable() throws {
    let set = try AuthoritySet.shared.get()
    func problem(_ octets: [UInt8], authorities: [String] = ["root/root.pem"]) throws -> TLSError? {
      do {
        _ = try set.context(.server, leaf: "good") { settings in
          settings.authorities = try? authorities.flatMap { try set.octets($0) }
          settings.revocation.lists = [.init(name: "lists/some.crl", octets: octets)]
        }
        return nil
      } catch let error as TLSError { return error }
    }
    let list = try set.octets("middle.crl")
    for octets in [
      [], Array("nonsense".utf8), [0x30, 0x00], Array(list.dropLast(40)), list + Array(list.dropLast(60)),
    ] {
      let error = try #require(try problem(octets))
      #expect(error.kind == .configuration && error.text.hasPrefix("lists/some.crl: "))
    }
    #expect(try problem(list) == nil)
    #expect(try problem(list + list) == nil)
    let forged = try problem(try set.octets("forged.crl"), authorities: ["root/root.pem", "middle/middle.pem"])
    #expect(forged?.text == "lists/some.crl: the signature isn't that of CN=middle authority")
  }

  @Test("a file is read again only when it changed")
  func shared() throws {
    let set = try AuthoritySet.shared.get()
    let table = IssuerTable()
    func lists(_ path: String, named name: String) throws -> [RevocationList] {
      try set.context(.server, leaf: "good", issuers: table) { settings in
        settings.revocation.lists = [.init(name: name, octets: (try? set.octets(path)) ?? [])]
      }.lists
    }
    let first = try #require(try lists("middle.crl", named: "a").first)
    #expect(try lists("middle.crl", named: "a").first === first)
    #expect(try lists("empty.crl", named: "a").first !== first)
    let third = try #require(try lists("middle.crl", named: "b").first)
    table.keepLists(of: ["a"])
    #expect(try lists("middle.crl", named: "b").first !== third)
  }

  @Test("tells of its end from three days before")
  func ages() throws {
    let set = try AuthoritySet.shared.get()
    let files = [RevocationSettings.File(name: "middle.crl", octets: try set.octets("middle.crl"))]
    let list = try #require(try RevocationList.read(files[0]).first)
    #expect(list.issuer == "CN=middle authority" && list.count == 1)
    let (end, day) = (try #require(list.nextUpdate), Int64(86_400))
    #expect(list.age(at: end - 3 * day) == .fresh)
    #expect(list.age(at: end - 3 * day + 1) == .ending(days: 2))
    #expect(list.age(at: end - 1) == .ending(days: 0))
    #expect(list.age(at: end) == .expired(days: 0))
    #expect(list.age(at: end + 2 * day + 1) == .expired(days: 2))
  }
}
