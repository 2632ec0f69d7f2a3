import Foundation
import Testing

@testable import Configuration

@Suite("Certificates as text")
struct CertificateTextTests {
  private static let name: [UInt8] = [0x06, 0x08, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01]

  private static func pem(_ octets: [UInt8]) -> String {
    let text = Data(octets).base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
    return "-----BEGIN CERTIFICATE-----\n\(text)\n-----END CERTIFICATE-----\n"
  }

  @Test("a responder is found wherever it lies, in the first certificate only", arguments: 0...7)
  func responder(_ before: Int) {
    let with = Self.pem([UInt8](repeating: 7, count: 40 + before) + Self.name + [1, 2, 3])
    let without = Self.pem([UInt8](repeating: 7, count: 60) + Self.name.dropLast())
    #expect(CertificateText.namesResponder(Array(with.utf8)))
    #expect(CertificateText.namesResponder(Array(with.replacing("\n", with: "\r\n").utf8)))
    #expect(!CertificateText.namesResponder(Array(without.utf8)))
    #expect(!CertificateText.namesResponder(Array((without + with).utf8)))
    #expect(CertificateText.namesResponder(Array(("Certificate of a server\n" + with + without).utf8)))
  }

  @Test("what is no certificate names nobody")
  func strange() {
    for text in ["", "-----BEGIN", "-----BEGIN X-----\n", "MII="] {
      #expect(!CertificateText.namesResponder(Array(text.utf8)))
    }
  }
}
