import Foundation
import SIPMessage
import Structures
import Testing

/// One message of RFC 4475 or RFC 5118, and what its section says must become of it before any role of the server looks at it.
struct TortureRow: Sendable, CustomTestStringConvertible {
  enum Outcome: Sendable, Equatable {
    /// Well-formed: it is for the roles behind the parser to say more.
    case accept
    /// A request that is answered with this status code, because of this problem.
    case reject(Int, ParseError.Problem)
    /// A response that is dropped.
    case drop
  }

  enum Framing: Sendable, Equatable {
    /// The message ends where the file ends.
    case whole
    /// The message ends before: what follows belongs to the next.
    case first(Int)
    /// The end doesn't come.
    case waits
    /// The connection is of no use any more.
    case broken(FramingError)
  }

  let file: String
  let section: String
  let outcome: Outcome
  let framing: Framing

  init(_ file: String, _ section: String, _ outcome: Outcome, _ framing: Framing = .whole) {
    self.file = file
    self.section = section
    self.outcome = outcome
    self.framing = framing
  }

  var testDescription: String { "\(file), §\(section)" }

  static let all = of4475 + of5118

  // Where the RFC leaves a choice, the row holds ours and a comment the other.
  static let of4475: [TortureRow] = [
    TortureRow("rfc4475/wsinv", "3.1.1.1", .accept),
    TortureRow("rfc4475/intmeth", "3.1.1.2", .accept),
    TortureRow("rfc4475/esc01", "3.1.1.3", .accept),
    TortureRow("rfc4475/escnull", "3.1.1.4", .accept),
    TortureRow("rfc4475/esc02", "3.1.1.5", .accept),
    TortureRow("rfc4475/lwsdisp", "3.1.1.6", .accept),
    TortureRow("rfc4475/longreq", "3.1.1.7", .accept),
    TortureRow("rfc4475/dblreq", "3.1.1.8", .accept, .first(300)),
    TortureRow("rfc4475/semiuri", "3.1.1.9", .accept),
    TortureRow("rfc4475/transports", "3.1.1.10", .accept),
    TortureRow("rfc4475/mpart01", "3.1.1.11", .accept),
    TortureRow("rfc4475/unreason", "3.1.1.12", .accept),
    TortureRow("rfc4475/noreason", "3.1.1.13", .accept),
    TortureRow("rfc4475/badinv01", "3.1.2.1", .reject(400, .via)),
    TortureRow("rfc4475/clerr", "3.1.2.2", .reject(400, .contentLength), .waits),
    TortureRow("rfc4475/ncl", "3.1.2.3", .reject(400, .contentLength), .broken(.badContentLength)),
    TortureRow("rfc4475/scalar02", "3.1.2.4", .reject(400, .cseq)),
    TortureRow("rfc4475/scalarlg", "3.1.2.5", .drop),
    TortureRow("rfc4475/quotbal", "3.1.2.6", .reject(400, .to)),
    // Or without the brackets.
    TortureRow("rfc4475/ltgtruri", "3.1.2.7", .reject(400, .requestURI)),
    // Or without the space.
    TortureRow("rfc4475/lwsruri", "3.1.2.8", .reject(400, .startLine)),
    // Or without the spaces.
    TortureRow("rfc4475/lwsstart", "3.1.2.9", .reject(400, .startLine)),
    // Or without the spaces.
    TortureRow("rfc4475/trws", "3.1.2.10", .reject(400, .startLine)),
    // Or without the header part.
    TortureRow("rfc4475/escruri", "3.1.2.11", .reject(400, .requestURI)),
    // Or 400, by an element to which Date matters.
    TortureRow("rfc4475/baddate", "3.1.2.12", .accept),
    // Or with the brackets inferred.
    TortureRow("rfc4475/regbadct", "3.1.2.13", .reject(400, .contact)),
    // Or without the spaces.
    TortureRow("rfc4475/badaspec", "3.1.2.14", .reject(400, .to)),
    // Or with the quotes inferred. The archive lacks the empty line, which is no reason to say something else.
    TortureRow("rfc4475/baddn", "3.1.2.15", .reject(400, .from), .waits),
    TortureRow("rfc4475/stream/baddn", "3.1.2.15", .reject(400, .from)),
    TortureRow("rfc4475/badvers", "3.1.2.16", .reject(505, .version)),
    TortureRow("rfc4475/mismatch01", "3.1.2.17", .reject(400, .methodMismatch)),
    // Or, better, 501: a server that passes every method has no use for it.
    TortureRow("rfc4475/mismatch02", "3.1.2.18", .reject(400, .methodMismatch)),
    TortureRow("rfc4475/bigcode", "3.1.2.19", .drop),
    // Or 400; the transaction layer falls back to the matching of RFC 2543.
    TortureRow("rfc4475/badbranch", "3.2.1", .accept),
    TortureRow("rfc4475/insuf", "3.3.1", .reject(400, .missingHeader)),
    TortureRow("rfc4475/unkscm", "3.3.2", .accept),
    TortureRow("rfc4475/novelsc", "3.3.3", .accept),
    TortureRow("rfc4475/unksm2", "3.3.4", .accept),
    TortureRow("rfc4475/bext01", "3.3.5", .accept),
    TortureRow("rfc4475/invut", "3.3.6", .accept),
    TortureRow("rfc4475/regaut01", "3.3.7", .accept),
    TortureRow("rfc4475/multi01", "3.3.8", .reject(400, .repeatedHeader)),
    TortureRow("rfc4475/mcl01", "3.3.9", .reject(400, .repeatedHeader), .broken(.badContentLength)),
    TortureRow("rfc4475/bcast", "3.3.10", .accept),
    TortureRow("rfc4475/zeromf", "3.3.11", .accept),
    TortureRow("rfc4475/cparam01", "3.3.12", .accept),
    TortureRow("rfc4475/cparam02", "3.3.13", .accept),
    TortureRow("rfc4475/regescrt", "3.3.14", .accept),
    TortureRow("rfc4475/sdp01", "3.3.15", .accept),
    TortureRow("rfc4475/inv2543", "3.4.1", .accept, .broken(.missingContentLength)),
    // In the archive, in no section: a start line without a version, a line without a colon.
    TortureRow("rfc4475/test", "A.1", .reject(400, .startLine), .broken(.malformedStart)),
  ]

  static let of5118: [TortureRow] = [
    TortureRow("rfc5118/ipv6-good", "4.1", .accept),
    TortureRow("rfc5118/ipv6-bad", "4.2", .reject(400, .requestURI)),
    TortureRow("rfc5118/port-ambiguous", "4.3", .accept),
    TortureRow("rfc5118/port-unambiguous", "4.4", .accept),
    TortureRow("rfc5118/via-received-param-with-delim", "4.5", .accept),
    TortureRow("rfc5118/via-received-param-no-delim", "4.5", .accept),
    // The archive announces more octets than it has: RFC 3261 §18.3 asks for 400, as for clerr.
    TortureRow("rfc5118/ipv6-in-sdp", "4.6", .reject(400, .contentLength), .waits),
    TortureRow("rfc5118/stream/ipv6-in-sdp", "4.6", .accept),
    TortureRow("rfc5118/mult-ip-in-header", "4.7", .accept),
    // The archive announces fewer octets than it has: RFC 3261 §18.3 has the rest ignored.
    TortureRow("rfc5118/mult-ip-in-sdp", "4.8", .accept, .first(522)),
    TortureRow("rfc5118/stream/mult-ip-in-sdp", "4.8", .accept),
    TortureRow("rfc5118/ipv4-mapped-ipv6", "4.9", .accept, .first(648)),
    TortureRow("rfc5118/stream/ipv4-mapped-ipv6", "4.9", .accept),
    // The archive lacks the empty line. The section wants the message understood, and the datagram ends there.
    TortureRow("rfc5118/ipv6-bug-abnf-3-colons", "4.10", .accept, .waits),
    TortureRow("rfc5118/stream/ipv6-bug-abnf-3-colons", "4.10", .accept),
    TortureRow("rfc5118/ipv6-correct-abnf-2-colons", "4.10", .accept, .waits),
    TortureRow("rfc5118/stream/ipv6-correct-abnf-2-colons", "4.10", .accept),
  ]
}

@Suite("Torture messages, RFC 4475 and RFC 5118")
struct TortureTests {
  @Test("has one row for each file, and a file for each row")
  func complete() throws {
    let root = try #require(Bundle.module.resourceURL).appendingPathComponent("Fixtures")
    var files: [String] = []
    for folder in ["rfc4475", "rfc4475/stream", "rfc5118", "rfc5118/stream"] {
      for name in try FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent(folder).path)
      where name.hasSuffix(".dat") {
        files.append("\(folder)/\(name.dropLast(4))")
      }
    }
    #expect(files.sorted() == TortureRow.all.map(\.file).sorted())
    #expect(files.filter { !$0.contains("stream") }.count == 62)
  }

  @Test("does with each datagram what its section says", arguments: TortureRow.all)
  func datagram(row: TortureRow) throws {
    let message = try torture(row.file)
    let error = message.check()
    switch row.outcome {
    case .accept:
      #expect(error == nil)
    case .reject(let status, let problem):
      #expect(error?.status == status)
      #expect(error?.problem == problem)
      #expect(message.isRequest)
    case .drop:
      #expect(error != nil)
      #expect(!message.isRequest)
    }
  }

  @Test("finds the end of each message in a stream, however it is cut", arguments: TortureRow.all)
  func stream(row: TortureRow) throws {
    let octets = try fixture(row.file)
    #expect(frame(octets, upTo: [octets.count]) == row.framing)
    #expect(frame(octets, upTo: Array(1...octets.count)) == row.framing)
  }

  /// What a framer says of octets of which more and more have come.
  private func frame(_ octets: [UInt8], upTo ends: [Int]) -> TortureRow.Framing? {
    var framer = StreamFramer(maximumHead: 32_768, maximumMessage: 65_535)
    for end in ends {
      switch framer.next(octets.span.extracting(0..<end)) {
      case .incomplete: continue
      case .keepAlive: return nil
      case .message(let length): return length == octets.count ? .whole : .first(length)
      case .broken(let error, _): return .broken(error)
      }
    }
    return .waits
  }

  @Test("survives each message cut off anywhere", arguments: TortureRow.all)
  func cut(row: TortureRow) throws {
    let octets = try fixture(row.file)
    let message = Message()
    for end in 0..<octets.count {
      message.load(octets.span.extracting(0..<end), limits: ParserLimits())
      _ = message.check()
      #expect(message.bytes.count <= end + 2)
    }
  }
}

/// The octets of a fixture, named without its suffix.
func fixture(_ name: String) throws -> [UInt8] {
  let root = try #require(Bundle.module.resourceURL)
  return [UInt8](try Data(contentsOf: root.appendingPathComponent("Fixtures/\(name).dat")))
}

/// A fixture loaded as a datagram.
func torture(_ name: String) throws -> Message {
  let octets = try fixture(name)
  let message = Message()
  message.load(octets.span, limits: ParserLimits())
  return message
}
