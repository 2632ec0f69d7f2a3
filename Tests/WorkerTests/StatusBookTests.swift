import TLSEngine
import Testing

@testable import Worker

@Suite("What is known of the status of certificates")
struct StatusBookTests {
  private static let good = OCSPAnswer(status: .good, thisUpdate: 1_000, nextUpdate: 2_000)

  @Test("an answer holds until the next is due, a week at most, a minute when it doesn't say")
  func lives() {
    var book = StatusBook()
    #expect(book.status(of: [1], at: 1_000) == nil)
    #expect(book.note(Self.good, to: [1], at: 1_100) == .good)
    #expect(book.status(of: [1], at: 1_999) == .good)
    #expect(book.status(of: [1], at: 2_000) == nil)
    let endless = OCSPAnswer(status: .revoked, thisUpdate: 1_000, nextUpdate: nil)
    #expect(book.note(endless, to: [2], at: 1_100) == .revoked)
    #expect(book.status(of: [2], at: 1_159) == .revoked)
    #expect(book.status(of: [2], at: 1_160) == nil)
    let long = OCSPAnswer(status: .good, thisUpdate: 1_000, nextUpdate: 100_000_000)
    _ = book.note(long, to: [3], at: 1_100)
    #expect(book.status(of: [3], at: 1_100 + StatusBook.longestLife) == nil)
  }

  @Test("a failure keeps others from asking for seconds, and takes away nothing that is known")
  func failures() {
    var book = StatusBook()
    #expect(book.noteFailure("refused", of: [1], at: 1_000) == .unknown("refused"))
    #expect(book.status(of: [1], at: 1_004) == .unknown("refused"))
    #expect(book.status(of: [1], at: 1_005) == nil)
    _ = book.note(Self.good, to: [1], at: 1_006)
    #expect(book.noteFailure("refused", of: [1], at: 1_007) == .good)
    let useless = OCSPAnswer(status: .useless("bad"), thisUpdate: 0, nextUpdate: nil)
    #expect(book.note(useless, to: [1], at: 1_008) == .good)
    #expect(book.note(useless, to: [1], at: 3_000) == .unknown("bad"))
  }

  @Test("an answer from before what is known changes nothing; of two at one time the worse counts")
  func order() {
    func answer(_ status: OCSPAnswer.Status, _ time: Int64) -> OCSPAnswer {
      OCSPAnswer(status: status, thisUpdate: time, nextUpdate: 2_000)
    }
    var book = StatusBook()
    _ = book.note(answer(.good, 1_000), to: [1], at: 1_100)
    #expect(book.note(answer(.revoked, 1_050), to: [1], at: 1_100) == .revoked)
    for (status, time) in [(OCSPAnswer.Status.good, Int64(1_000)), (.good, 1_050), (.unknown, 1_000)] {
      #expect(book.note(answer(status, time), to: [1], at: 1_110) == .revoked)
    }
    #expect(book.status(of: [1], at: 1_999) == .revoked)
    // A certificate on hold comes back (RFC 5280 §5.3.1).
    #expect(book.note(answer(.good, 1_051), to: [1], at: 1_200) == .good)
  }

  @Test("holds so many; who expired goes first")
  func bounds() {
    var book = StatusBook()
    for number in 0..<StatusBook.most {
      let end: Int64 = number < 10 ? 1_500 : 2_000
      _ = book.note(
        OCSPAnswer(status: .good, thisUpdate: 1_000, nextUpdate: end), to: [UInt8(number >> 8), UInt8(number & 255)],
        at: 1_000)
    }
    #expect(book.count == StatusBook.most)
    _ = book.note(Self.good, to: [99], at: 1_600)
    #expect(book.count == StatusBook.most - 9)
    for number in 0..<100 { _ = book.note(Self.good, to: [98, UInt8(number), 0], at: 1_600) }
    #expect(book.count == StatusBook.most)
  }

  @Test("a stapled answer is fetched anew at half of its time, within bounds")
  func refreshes() {
    func refresh(_ start: Int64, _ end: Int64?, _ now: Int64) -> Int64 {
      StapleKeeper.refresh(of: OCSPAnswer(status: .good, thisUpdate: start, nextUpdate: end), at: now)
    }
    #expect(refresh(1_000, 2_000, 1_000) == 1_500)
    #expect(refresh(1_000, 2_000, 1_499) == 1_504)
    #expect(refresh(1_000, 2_000, 1_900) == 1_905)
    #expect(refresh(1_000, 100_000_000, 1_000) == 1_000 + 86_400)
    #expect(refresh(1_000, nil, 1_000) == 1_300)
  }
}
