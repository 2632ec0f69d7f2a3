import Structures
import Testing

@testable import SIPMessage

@Suite("Octet classes (RFC 3261 §25.1)")
struct OctetClassTests {
  /// A set, whether letters and digits are in it, and the other octets that are.
  struct Row: Sendable {
    let set: OctetClass
    var hasLetters = true
    let others: String
  }

  private static let rows = [
    Row(set: .token, others: "-.!%*_+`'~"),
    Row(set: .word, others: "-.!%*_+`'~()<>:\\\"/[]?{}"),
    Row(set: .user, others: "-_.!~*'()&=+$,;?/"),
    Row(set: .password, others: "-_.!~*'()&=+$,"),
    Row(set: .host, others: "-._"),
    Row(set: .parameter, others: "-_.!~*'()[]/:&+$"),
    Row(set: .header, others: "-_.!~*'()[]/?:+$&="),
    Row(set: .uric, others: "-_.!~*'();/?:@&=+$,"),
    Row(set: .unreserved, others: "-_.!~*'()"),
    Row(set: .scheme, others: "+-."),
    Row(set: .space, hasLetters: false, others: " \t\r\n"),
    Row(set: .percent, hasLetters: false, others: "%"),
  ]

  @Test("hold the octets of the grammar and no others", arguments: rows)
  func octets(row: Row) {
    let others = Array(row.others.utf8)
    for octet in UInt8.min...UInt8.max {
      let isAlphanumeric = octet.decimalDigit != nil || octet.lowercased >= 0x61 && octet.lowercased <= 0x7A
      #expect(row.set.contains(octet) == (row.hasLetters && isAlphanumeric || others.contains(octet)))
    }
  }

  @Test("tell a token wherever the octet stands that is none")
  func token() {
    for length in 1...20 {
      for place in 0..<length {
        for octet in UInt8.min...UInt8.max {
          var octets = Array("Proxy-Authorization1".utf8.prefix(length))
          octets[place] = octet
          #expect(octets.span.isToken(0, length) == OctetClass.token.contains(octet))
        }
      }
    }
  }
}

@Suite("Header names (RFC 3261 §7.3.1, §7.3.3)")
struct HeaderNameTests {
  private static let names: [(HeaderName, [String])] = [
    (.via, ["via", "v"]), (.from, ["from", "f"]), (.to, ["to", "t"]), (.callID, ["call-id", "i"]), (.cseq, ["cseq"]),
    (.maxForwards, ["max-forwards"]), (.contact, ["contact", "m"]), (.route, ["route"]),
    (.recordRoute, ["record-route"]), (.contentLength, ["content-length", "l"]), (.contentType, ["content-type", "c"]),
    (.expires, ["expires"]), (.minExpires, ["min-expires"]), (.require, ["require"]),
    (.proxyRequire, ["proxy-require"]), (.supported, ["supported", "k"]), (.unsupported, ["unsupported"]),
    (.authorization, ["authorization"]), (.proxyAuthorization, ["proxy-authorization"]),
    (.wwwAuthenticate, ["www-authenticate"]), (.proxyAuthenticate, ["proxy-authenticate"]), (.path, ["path"]),
    (.serviceRoute, ["service-route"]), (.retryAfter, ["retry-after"]), (.event, ["event", "o"]),
    (.maxBreadth, ["max-breadth"]), (.userAgent, ["user-agent"]), (.allow, ["allow"]), (.accept, ["accept"]),
    (.date, ["date"]), (.subject, ["subject", "s"]), (.referTo, ["refer-to", "r"]), (.reason, ["reason"]),
    (.assertedIdentity, ["p-asserted-identity"]), (.preferredIdentity, ["p-preferred-identity"]),
    (.assertedService, ["p-asserted-service"]), (.remotePartyID, ["remote-party-id"]), (.privacy, ["privacy"]),
  ]
  private static let ownNames = [
    "x-apus-a", "x-apus-flow", "x-apus-sixteen-1", "x-apus-seventeen1", "x-apus-of-twenty-four-ab",
    "x-apus-of-more-than-twenty-four-octets",
  ]

  private func field(of line: String) -> (HeaderName?, String?, ParseError?) {
    let message = Message()
    let octets = Array("OPTIONS sip:a SIP/2.0\r\n\(line)\r\nSubject: the end of the message\r\n\r\n".utf8)
    message.load(octets.span, limits: ParserLimits())
    guard message.fields.count == 2, let first = message.fields.first else { return (nil, nil, message.error) }
    return (first.name, message.text(first.value), message.error)
  }

  @Test("are known in any case, in any form of the line")
  func known() {
    #expect(Self.names.count == HeaderName.allCases.count - 2)
    #expect(HeaderName.allCases.count <= HeaderName.capacity && MessageLayout().first.count == HeaderName.capacity)
    for (name, spellings) in Self.names + [(.own, Self.ownNames)] {
      for spelling in spellings + spellings.map({ $0.uppercased() }) {
        for line in [
          "\(spelling): 0", "\(spelling):0", "\(spelling)\t :  0 \t", "\(spelling):\r\n 0", "\(spelling): \t0",
        ] {
          let (found, value, error) = field(of: line)
          #expect(found == name && value == "0" && error == nil, "\(line)")
        }
      }
    }
  }

  @Test("a message knows which it has")
  func set() {
    let message = Message()
    let octets = Array("OPTIONS sip:a SIP/2.0\r\nPrivacy: id\r\nX-Apus-1: a\r\nPrivacy: id\r\nX-Apus: no\r\n\r\n".utf8)
    message.load(octets.span, limits: ParserLimits())
    #expect(message.names == [.privacy, .own, .other])
    #expect(message.names.meets([.subject, .privacy]) && !message.names.meets([.subject, .remotePartyID]))
    message.load(Array("OPTIONS sip:a SIP/2.0\r\nVia: v\r\n\r\n".utf8).span, limits: ParserLimits())
    #expect(message.names == [.via])
  }

  @Test("are not taken for another with an octet more or less or one 0 in it")
  func unknown() {
    let spellings = Self.names.flatMap(\.1)
    for spelling in spellings {
      for other in [spelling + "x", "x" + spelling, String(spelling.dropLast())] where !spellings.contains(other) {
        if other.isEmpty { continue }
        #expect(field(of: "\(other): v").0 == .other, "\(other)")
      }
      for end in ["", "x", "sip"] {
        #expect(field(of: "\(spelling)\0\(end): v").2?.problem == .headerLine)
      }
    }
  }
}

@Suite("Via (RFC 3261 §20.42)")
struct ViaTests {
  @Test("may have white space around the slashes of its protocol")
  func protocolSpace() throws {
    for written in ["SIP/2.0/UDP h", "SIP/2.0/ UDP h", "SIP /2.0/UDP h", "sip/ 2.0 /\tudp  h", "SIP/2.0/\r\n UDP h"] {
      let octets = Array(written.utf8)
      let via = try Via(octets.span, ByteRange(0, octets.count))
      #expect(via.transport == .known(.udp))
      #expect(via.host == ByteRange(octets.count - 1, octets.count))
    }
  }
}
