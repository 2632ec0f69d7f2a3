/// Reads the response to an HTTP/1.0 request that asked for the connection to be closed: its body ends where Content-Length
/// says, or with the connection (RFC 9112 §6.3). Takes octets as they come; holds no more than it may.
struct HTTPResponseReader {
  /// What became of it.
  enum Outcome: Equatable {
    /// The whole body of a response with status 200.
    case body([UInt8])
    /// There is none, and why.
    case failure(String)
  }

  /// Octets of status line and fields at most.
  static let maximumHead = 16_384

  private let maximumBody: Int
  private var octets: [UInt8] = []
  /// Where the body begins, once that is known.
  private var bodyStart: Int?
  private var length: Int?

  /// A reader of bodies of at most so many octets.
  init(maximumBody: Int) { self.maximumBody = maximumBody }

  /// Takes octets; returns the outcome once it is certain.
  mutating func receive(_ more: ArraySlice<UInt8>) -> Outcome? {
    octets += more
    if bodyStart == nil {
      guard let end = Self.endOfHead(octets) else {
        return octets.count > Self.maximumHead ? .failure("its header has no end") : nil
      }
      bodyStart = end
      if let problem = readHead(octets[..<end]) { return .failure(problem) }
    }
    guard let bodyStart else { return nil }
    let count = octets.count - bodyStart
    if let length, count >= length { return .body(Array(octets[bodyStart..<bodyStart + length])) }
    return count > maximumBody ? .failure("its body is too long") : nil
  }

  /// The peer sends no more.
  func end() -> Outcome {
    guard let bodyStart else { return .failure("the connection ended before a response") }
    if length != nil { return .failure("the connection ended within the body") }
    return .body(Array(octets[bodyStart...]))
  }

  /// What is wrong with status line and fields; nil: nothing.
  private mutating func readHead(_ head: ArraySlice<UInt8>) -> String? {
    // By octets: to Swift a line's two octets at its end are one character.
    let lines = head.split(separator: 0x0A).map { line in
      String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
    }
    let words = (lines.first ?? "").split(separator: " ", maxSplits: 2)
    guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else { return "it is no HTTP" }
    guard status == 200 else { return "status \(status)" }
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { continue }
      let value = parts[1].filter { $0 != " " && $0 != "\t" }
      switch parts[0].lowercased() {
      case "content-length":
        guard let number = Int(value), number >= 0, number <= maximumBody else { return "its body is too long" }
        length = number
      case "transfer-encoding": return "its body is coded: \(value.prefix(32))"
      default: break
      }
    }
    return nil
  }

  /// The position behind the empty line.
  private static func endOfHead(_ octets: [UInt8]) -> Int? {
    var position = 0
    while let feed = octets[position...].firstIndex(of: 0x0A) {
      let next = feed + 1
      if next < octets.count, octets[next] == 0x0A { return next + 1 }
      if next + 1 < octets.count, octets[next] == 0x0D, octets[next + 1] == 0x0A { return next + 2 }
      position = next
    }
    return nil
  }
}
