import SIPMessage
import Structures

/// A stream gives the same messages however it is cut, and each of them is what the parser takes for a whole message.
///
/// The first octet chooses limits, the next four where the stream is cut; the rest is the stream.
enum FramerTarget {
  /// What came out of a stream.
  private enum Piece: Equatable {
    case ping
    case lineBreak
    case message([UInt8])
    case broken(FramingError)
  }

  static func run(_ input: [UInt8]) throws(Complaint) {
    var reader = InputReader(input)
    let isSmall = reader.octet() & 1 == 1
    let cuts = [reader.octet(), reader.octet(), reader.octet(), reader.octet()].map { Int($0) + 1 }
    let stream = reader.rest
    let limits = isSmall ? (head: 200, message: 300) : (head: 4_000, message: 6_000)
    let whole = try read(stream, limits.head, limits.message) { _ in stream.count }
    var turn = 0
    let cut = try read(stream, limits.head, limits.message) { end in
      turn += 1
      return end + cuts[turn % cuts.count]
    }
    try Complaint.unless(whole == cut, "cut by \(cuts): \(cut); whole: \(whole)")
    if stream.count <= 1_000 {
      let single = try read(stream, limits.head, limits.message) { $0 + 1 }
      try Complaint.unless(whole == single, "octet by octet: \(single); whole: \(whole)")
    }
  }

  /// Everything that a framer finds when the stream arrives up to `next` of the end before.
  private static func read(
    _ stream: [UInt8], _ head: Int, _ limit: Int, _ next: (Int) -> Int
  ) throws(Complaint) -> [Piece] {
    var framer = StreamFramer(maximumHead: head, maximumMessage: limit)
    var pieces: [Piece] = []
    var (start, end) = (0, 0)
    while end < stream.count {
      end = min(stream.count, next(end))
      scan: while true {
        switch framer.next(stream.span.extracting(start..<end)) {
        case .incomplete:
          try Complaint.unless(end - start <= max(head, limit), "holds \(end - start) octets for a message")
          break scan
        case .keepAlive(let length, let isPing):
          try Complaint.unless(length > 0 && length <= end - start, "a line break of \(length)")
          pieces.append(isPing ? .ping : .lineBreak)
          start += length
        case .message(let length):
          try Complaint.unless(length > 0 && length <= end - start && length <= limit, "a message of \(length)")
          pieces.append(.message(Array(stream[start..<start + length])))
          try check(stream.span.extracting(start..<start + length))
          start += length
        case .broken(let error, let answerable):
          try Complaint.unless(answerable >= 0 && answerable <= end - start, "a head of \(answerable)")
          // What is both too large and no message is the one or the other by what was seen first.
          pieces.append(.broken(error == .malformedStart ? .headTooLarge : error))
          return pieces
        }
      }
    }
    return pieces
  }

  /// What the framer and the parser take for the end of a message is the same: else one peer's body is another's request.
  private static func check(_ octets: Span<UInt8>) throws(Complaint) {
    let message = Message()
    message.load(octets, limits: ParserLimits())
    guard message.error == nil else { return }
    try Complaint.unless(message.bytes.count == octets.count, "\(octets.count) framed, \(message.bytes.count) parsed")
  }
}
