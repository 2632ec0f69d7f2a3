/// What is wrong with a received message, and how to answer it. The rule is broken by the peer in every case.
public struct ParseError: Error, Equatable, Sendable {
  /// What is wrong.
  public enum Problem: UInt8, Sendable {
    case startLine, version, headerLine, missingHeader, repeatedHeader, contentLength
    case via, from, to, callID, cseq, maxForwards, contact, route, requestURI, uri, expires, authorization
    case tooLarge, tooManyHeaders, uriScheme, methodMismatch, requireTag
  }

  /// What is wrong.
  public let problem: Problem
  /// Position in the message at which it was found, in octets.
  public let position: Int

  /// An error found at a position.
  public init(_ problem: Problem, at position: Int) {
    self.problem = problem
    self.position = position
  }

  /// The status code to answer a request with.
  public var status: Int {
    switch problem {
    case .version: 505
    case .tooLarge, .tooManyHeaders: 513
    case .uriScheme: 416
    default: 400
    }
  }

  /// The reason phrase that tells the peer's administrator what to mend.
  public var reason: StaticString {
    switch problem {
    case .startLine: "Malformed Start Line"
    case .version: "Version Not Supported"
    case .headerLine: "Malformed Header Line"
    case .missingHeader: "Missing Mandatory Header Field"
    case .repeatedHeader: "Header Field Given Twice"
    case .contentLength: "Bad Content-Length"
    case .via: "Malformed Via"
    case .from: "Malformed From"
    case .to: "Malformed To"
    case .callID: "Malformed Call-ID"
    case .cseq: "Malformed CSeq"
    case .maxForwards: "Malformed Max-Forwards"
    case .contact: "Malformed Contact"
    case .route: "Malformed Route or Record-Route"
    case .requestURI: "Malformed Request-URI"
    case .uri: "Malformed URI"
    case .expires: "Malformed Expires"
    case .authorization: "Malformed Authorization"
    case .tooLarge: "Message Too Large"
    case .tooManyHeaders: "Too Many Header Fields"
    case .uriScheme: "Unsupported URI Scheme"
    case .methodMismatch: "CSeq Method Does Not Match"
    case .requireTag: "Malformed Require or Proxy-Require"
    }
  }
}
