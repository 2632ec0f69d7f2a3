import Testing

@testable import Configuration

@Suite("What workers and the admin process say")
struct FetchMessageTests {
  private static let messages: [FetchMessage] = [
    .post(id: 1, milliseconds: 3_000, url: "http://a.test/", mediaType: "application/ocsp-request", body: [1, 2, 3]),
    .post(id: .max, milliseconds: 0, url: "", mediaType: "", body: []),
    .body(id: 2, [0, 255]), .body(id: 2, []), .failure(id: 3, "status 404"), .failure(id: 3, ""),
  ]

  @Test("is the same once written and read; a part of a question isn't another one's", arguments: messages)
  func roundTrip(_ message: FetchMessage) throws {
    let octets = try #require(message.octets)
    #expect(FetchMessage(octets.span) == message)
    for count in 0..<min(octets.count, 14) {
      let part = Array(octets[..<count])
      #expect(FetchMessage(part.span) != message)
    }
  }

  @Test("another version, kind or a length beyond the end is no message")
  func strange() throws {
    var octets = try #require(Self.messages[0].octets)
    for (position, value) in [(0, 2), (1, 9), (10, 1), (13, 200)] as [(Int, UInt8)] {
      var other = octets
      other[position] = value
      #expect(FetchMessage(other.span) == nil)
    }
    octets = [UInt8](repeating: 0, count: FetchMessage.maximumSize + 1)
    (octets[0], octets[1]) = (1, 2)
    #expect(FetchMessage(octets.span) == nil)
    #expect(FetchMessage.body(id: 1, octets).octets == nil)
  }
}
