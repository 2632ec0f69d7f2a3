import COpenSSL

/// What a response says of one certificate (RFC 6960 §2.2).
public struct OCSPAnswer: Equatable, Sendable {
  /// The status of the certificate.
  public enum Status: Equatable, Sendable {
    case good
    case revoked
    /// The responder doesn't know the certificate.
    case unknown
    /// The response counts for nothing, and why.
    case useless(String)
  }

  /// The status of the certificate.
  public let status: Status
  /// When that was known to be so, in seconds since 1970.
  public let thisUpdate: Int64
  /// When newer answers are to be had at the latest, in seconds since 1970; nil: always.
  public let nextUpdate: Int64?

  /// An answer from its parts.
  public init(status: Status, thisUpdate: Int64, nextUpdate: Int64?) {
    self.status = status
    self.thisUpdate = thisUpdate
    self.nextUpdate = nextUpdate
  }

  /// Reads a response for one certificate. It counts only if its issuer signed it, or whom the issuer appointed
  /// (RFC 6960 §4.2.2.2), and at its time.
  init(_ response: [UInt8], for link: PeerChain.Link) {
    let answer = copenssl_ocsp_read(
      response, response.count, link.issuer.pointer, link.serial, link.serial.count)
    status =
      switch answer.status {
      case copenssl_ocsp_good: .good
      case copenssl_ocsp_revoked: .revoked
      case copenssl_ocsp_unknown: .unknown
      default: .useless(answer.problem.map { String(cString: $0) } ?? "the response can't be used")
      }
    thisUpdate = answer.this_update
    nextUpdate = answer.next_update == 0 ? nil : answer.next_update
  }
}

/// A question for the status of one certificate.
public struct OCSPQuery {
  /// The media type of a request (RFC 6960 §A.1).
  public static let mediaType = "application/ocsp-request"
  private static let maximumSize = 1_024

  let link: PeerChain.Link
  /// The URL that answers it.
  public let responder: String
  /// The request in DER, without a nonce: the same for all who ask, so it is also what the question is known by.
  public let request: [UInt8]

  init?(_ link: PeerChain.Link, responder: String) {
    let request = [UInt8](unsafeUninitializedCapacity: Self.maximumSize) { buffer, count in
      let length = copenssl_ocsp_request(
        link.issuer.pointer, link.serial, link.serial.count, buffer.baseAddress, Int32(Self.maximumSize))
      count = Int(max(0, length))
    }
    if request.isEmpty { return nil }
    self.link = link
    self.responder = responder
    self.request = request
  }

  /// What a response says.
  public func read(_ response: [UInt8]) -> OCSPAnswer { OCSPAnswer(response, for: link) }

  /// The certificate, for logs.
  public var subject: String { "\(link)" }
}

/// The first responder that a certificate names (RFC 5280 §4.2.2.1).
func responder(of certificate: OpaquePointer) -> String? {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1_024) { buffer in
    let length = copenssl_responder(certificate, buffer.baseAddress, Int32(buffer.count))
    return length <= 0 ? nil : String(decoding: UnsafeRawBufferPointer(buffer).prefix(Int(length)), as: UTF8.self)
  }
}
