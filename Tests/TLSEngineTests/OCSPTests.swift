import Foundation
import Testing

@testable import TLSEngine

extension AuthoritySet {
  /// What a peer with this leaf proved to us, in a profile that asks for its status.
  func chain(of leaf: String, role: TLSContext.Role = .server, responder: String? = nil) throws -> PeerChain {
    let (wire, step) = try handshake(role, peer: leaf, lists: []) { settings in
      settings.revocation.ocsp.mode = .soft
      settings.revocation.ocsp.responder = responder
    }
    try #require(step == .done)
    return try #require(role == .server ? wire.server.peerChain : wire.client.peerChain)
  }

  /// What openssl's responder answers to a question: signed by the issuer, or by `signer`, of whose issuer it is or not.
  func respond(to query: OCSPQuery, signer: String = "middle", of folder: String = "middle", minutes: Int? = 5) throws
    -> [UInt8]
  {
    let name = UUID().uuidString
    let (request, response) = ("\(name).req", "\(name).resp")
    try Data(query.request).write(to: self.folder.appendingPathComponent(request))
    var words = [
      "ocsp", "-index", "middle/index.txt", "-CA", "middle/middle.pem", "-rsigner", "\(folder)/\(signer).pem", "-rkey",
      "\(folder)/\(signer).key", "-reqin", request, "-respout", response,
    ]
    if let minutes { words += ["-nmin", "\(minutes)"] }
    try Self.run("/usr/bin/env", ["openssl"] + words, in: self.folder)
    return try octets(response)
  }
}

@Suite("The status of certificates, RFC 6960")
struct OCSPTests {
  @Test(
    "an answer of the issuer, or of whom it appointed, counts", arguments: ["middle", "responder"], ["good", "revoked"])
  func answers(_ signer: String, _ leaf: String) throws {
    let set = try AuthoritySet.shared.get()
    let query = try #require(try set.chain(of: leaf).query)
    #expect(query.responder == "http://127.0.0.1:1/ocsp")
    let answer = query.read(try set.respond(to: query, signer: signer))
    #expect(answer.status == (leaf == "good" ? .good : .revoked))
    let next = try #require(answer.nextUpdate)
    #expect(next - answer.thisUpdate == 300)
  }

  @Test(
    "an answer that somebody else signed counts for nothing",
    arguments: [("elsewhere", "middle"), ("middle", "other/middle")])
  func wrongSigner(_ signer: String, _ folder: String) throws {
    let set = try AuthoritySet.shared.get()
    let query = try #require(try set.chain(of: "good").query)
    let answer = query.read(try set.respond(to: query, signer: signer, of: folder))
    #expect(answer.status == .useless("the response isn't signed by the issuer or by its order"))
  }

  @Test("octets that are no answer, or one about another certificate, count for nothing")
  func useless() throws {
    let set = try AuthoritySet.shared.get()
    let query = try #require(try set.chain(of: "good").query)
    let other = try #require(try set.chain(of: "revoked").query)
    #expect(query.request != other.request)
    let response = try set.respond(to: query)
    #expect(other.read(response).status == .useless("the response is about another certificate"))
    // RFC 6960 §4.2.1: tryLater, with no more than that.
    #expect(query.read([0x30, 0x03, 0x0A, 0x01, 0x03]).status == .useless("trylater"))
    for octets in [[], Array("HTTP".utf8), Array(response.dropLast(20)), [0x30, 0x03, 0x0A, 0x01, 0x00]] {
      guard case .useless = query.read(octets).status else {
        Issue.record("\(octets.count) octets are taken for an answer")
        continue
      }
    }
    var changed = response
    // Within what is signed.
    changed[60] ^= 1
    if case .useless = query.read(changed).status {} else { Issue.record("a changed response is taken for an answer") }
  }

  @Test("a certificate that the responder doesn't know is unknown; an answer without an end holds for a while")
  func unknown() throws {
    let set = try AuthoritySet.shared.get()
    let chain = try set.chain(of: "good")
    let link = PeerChain.Link(issuer: chain.links[0].issuer, serial: [0x12, 0x34])
    let query = try #require(OCSPQuery(link, responder: "http://127.0.0.1:1/"))
    let answer = query.read(try set.respond(to: query, minutes: nil))
    #expect(answer.status == .unknown && answer.nextUpdate == nil)
  }

  @Test("a profile's responder takes the place of the one that the certificate names; without ocsp nobody is asked")
  func responder() throws {
    let set = try AuthoritySet.shared.get()
    #expect(
      try set.chain(of: "good", role: .client, responder: "http://other.test/").query?.responder == "http://other.test/"
    )
    let (wire, _) = try set.handshake(.client, peer: "good", lists: [])
    #expect(wire.client.peerChain?.query == nil)
  }
}

@Suite("Stapled answers, RFC 6066 §8")
struct StaplingTests {
  @Test("a client gets what was stapled, in either version", arguments: [TLSProtocolVersion.v12, .v13])
  func stapled(_ version: TLSProtocolVersion) throws {
    let set = try AuthoritySet.shared.get()
    let server = try set.context(.server, leaf: "stapled") { $0.verification = .off }
    let client = try set.context(.client) { $0.maximumVersion = version }
    let certificate = try #require(server.stapled.first)
    #expect(server.stapled.count == 1 && certificate.isDemanded && certificate.subject == "CN=stapled")
    let response = try set.respond(to: certificate.query, signer: "responder")

    func handshake() throws -> TLSSession {
      let wire = try Wire(server, client, name: "example.test")
      try #require(wire.handshake() == (.done, .done))
      return wire.client
    }
    #expect(try handshake().staple.isEmpty)
    certificate.staple(response)
    let session = try handshake()
    #expect(session.staple == response)
    let chain = try #require(session.peerChain)
    #expect(chain.demandsStaple)
    #expect(chain.read(response)?.status == .good)
    certificate.staple(Array(response.reversed()))
    #expect(try handshake().staple == response.reversed())
    certificate.staple([])
    #expect(try handshake().staple.isEmpty)
  }

  @Test("of several contexts the client gets the answer of the one that its name chose")
  func named() throws {
    let set = try AuthoritySet.shared.get()
    let first = try set.context(.server, leaf: "good") { $0.verification = .off }
    let second = try set.context(.server, leaf: "stapled") { $0.verification = .off }
    first.setContext(second, forServerName: "example.test")
    let response = try set.respond(to: try #require(second.stapled.first).query)
    second.stapled.first?.staple(response)
    let wire = try Wire(first, try set.context(.client), name: "example.test")
    try #require(wire.handshake() == (.done, .done))
    #expect(wire.client.staple == response)
  }

  @Test("a certificate that demands an answer isn't served without; others may be, if nothing else was wanted")
  func demands() throws {
    let set = try AuthoritySet.shared.get()
    func problem(_ leaf: String, _ wanted: Bool?, _ change: (inout TLSSettings) -> Void = { _ in }) throws -> String? {
      do {
        _ = try set.context(.server, leaf: leaf) { settings in
          settings.revocation.stapling = wanted
          change(&settings)
        }
        return nil
      } catch let error as TLSError { return error.text }
    }
    #expect(try problem("stapled", nil) == nil)
    #expect(try problem("stapled", true) == nil)
    #expect(
      try problem("stapled", false) == "certificate: it demands a stapled answer (RFC 7633), but stapling is off")
    #expect(try problem("good", false) == nil)
    // Nobody to ask.
    #expect(try problem("elsewhere", nil) == nil)
    #expect(
      try problem("elsewhere", true) == "certificate: stapling: it names no OCSP responder: give ocsp_responder")
    // No issuer, neither in the chain nor trusted.
    let leaf = try set.octets("middle/stapled.leaf")
    #expect(try problem("stapled", nil) { $0.chain = leaf }?.contains("its issuer is unknown") == true)
  }

  @Test("without a demand a client takes the answer that comes, and none is missed")
  func undemanded() throws {
    let set = try AuthoritySet.shared.get()
    let (wire, step) = try set.handshake(.client, peer: "good", lists: [])
    #expect(step == .done && wire.client.peerChain?.demandsStaple == false)
    // A client's certificate isn't stapled: whatever it demands is no matter of ours.
    #expect(try set.chain(of: "stapled").demandsStaple == false)
  }
}
