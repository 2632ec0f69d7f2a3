import Testing

@testable import TLSEngine

@Suite("What is wrong with certificates of our own")
struct ChainReviewTests {
  private static func set() throws -> AuthoritySet { try AuthoritySet.shared.get() }

  private static func review(
    _ parts: [String], key: String? = nil, isServer: Bool = true, now: Int64? = nil
  ) throws -> ChainReview? {
    let set = try set()
    let chain = try parts.reduce(into: [UInt8]()) { $0 += try set.octets($1) }
    let authorities = try set.octets("root/root.pem") + set.octets("middle/middle.pem")
    let octets = try key.map { try set.octets($0) }
    guard let now else { return ChainReview(chain, key: octets, authorities: authorities, isServer: isServer) }
    return ChainReview(chain, key: octets, authorities: authorities, isServer: isServer, now: now)
  }

  @Test("nothing, when leaf and intermediate stand in their order and the key is the leaf's")
  func good() throws {
    let review = try #require(try Self.review(["middle/good.leaf", "middle/middle.pem"], key: "middle/good.key"))
    #expect(review.findings.isEmpty)
    #expect(review.keyProblem == nil)
    #expect(review.keyKind == "EC")
    #expect(review.names.dnsNames == ["example.test"])
  }

  @Test("the key belongs to another certificate, or to one further down in the file")
  func key() throws {
    let other = try #require(try Self.review(["middle/good.leaf"], key: "middle/stapled.key"))
    #expect(other.keyProblem == "it does not belong to the certificate CN=good")
    let second = try #require(try Self.review(["middle/middle.pem", "middle/good.leaf"], key: "middle/good.key"))
    #expect(second.keyProblem == "it belongs to certificate 2 of the file, which has to be the first")
  }

  @Test("the intermediate is missing, though its issuer is at hand")
  func incomplete() throws {
    let review = try #require(try Self.review(["middle/good.leaf"]))
    #expect(review.findings.map(\.index) == [1])
    #expect(
      review.findings.first?.problem
        == "the chain is incomplete: CN=middle authority, which issued the last certificate, is missing")
  }

  @Test("certificates stand in the wrong order, or have nothing to do with each other")
  func order() throws {
    let wrong = try #require(try Self.review(["middle/good.leaf", "root/root.pem", "middle/middle.pem"]))
    #expect(
      wrong.findings.first
        == ChainReview.Finding(
          index: 2, problem: "wrong order: CN=root authority did not issue CN=good, which stands before it",
          remedy: "put each certificate behind the one that it issued, or take it out", isFatal: false))
    let foreign = try #require(try Self.review(["middle/good.leaf", "other/middle/middle.pem"]))
    #expect(
      foreign.findings.first?.problem
        == "CN=middle authority has nothing to do with CN=good, which stands before it")
  }

  @Test("it has expired, or is not valid yet, by the time that is given")
  func dates() throws {
    let late = try #require(try Self.review(["middle/good.leaf", "middle/middle.pem"], now: 4_102_444_800))
    #expect(late.findings.prefix(1).map(\.problem) == ["the certificate has expired"])
    let isFatal = late.findings.map(\.isFatal)
    #expect(!isFatal.contains(false))
    let early = try #require(try Self.review(["middle/good.leaf", "middle/middle.pem"], now: 946_684_800))
    #expect(early.findings.first?.problem == "the certificate is not valid yet")
  }

  @Test("it is for something else than servers")
  func purpose() throws {
    let review = try #require(try Self.review(["middle/responder.pem", "middle/middle.pem"]))
    #expect(review.findings.first?.problem == "the certificate is not for a server (extended key usage)")
    #expect(review.findings.first?.isFatal == true)
  }

  @Test("there is none")
  func nothing() {
    #expect(ChainReview(Array("nothing".utf8)) == nil)
  }
}
