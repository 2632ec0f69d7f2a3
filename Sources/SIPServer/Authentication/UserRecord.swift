import Structures

/// What is kept of a user elsewhere than in a file: HA1 for each algorithm (RFC 7616 §3.4.2).
///
/// As text, version 1: `1`, then for each algorithm a space, its name, `=` and the hash in hexadecimal, for instance `1 MD5=0123… SHA-256=4567…`.
/// Words that are not understood are passed by.
public struct UserRecord: Sendable, Equatable {
  private var hashes: [[UInt8]?] = Array(repeating: nil, count: HashAlgorithm.allCases.count)

  /// A user without a hash, who can't prove anything.
  public init() {}

  /// Reads the text; nil when it is of another version. A hash of the wrong length counts as none.
  public init?(_ text: Span<UInt8>) {
    var start = 0
    var isFirst = true
    while start <= text.count {
      let end = (start..<text.count).first { text[$0] == UInt8(ascii: " ") } ?? text.count
      let word = text.extracting(start..<end)
      if isFirst, !word.equals("1") { return nil }
      if !isFirst { read(word) }
      isFirst = false
      start = end + 1
    }
  }

  /// Appends the text.
  public func append(to output: inout [UInt8]) {
    output.append("1")
    for algorithm in HashAlgorithm.allCases {
      guard let hash = self[algorithm] else { continue }
      output.append(" ")
      output.append(algorithm.token)
      output.append("=")
      output.append(hexadecimal: hash.span)
    }
  }

  /// HA1 in raw octets (``HashAlgorithm/length``; what has another length is not taken); nil when there is none for the algorithm.
  public subscript(algorithm: HashAlgorithm) -> [UInt8]? {
    get { hashes[Int(algorithm.rawValue)] }
    set { if newValue == nil || newValue?.count == algorithm.length { hashes[Int(algorithm.rawValue)] = newValue } }
  }

  private mutating func read(_ word: Span<UInt8>) {
    guard let equals = word.indices.first(where: { word[$0] == UInt8(ascii: "=") }),
      let algorithm = HashAlgorithm.allCases.first(where: { word.extracting(0..<equals).equals($0.token) }),
      word.count - equals - 1 == algorithm.length * 2
    else { return }
    var octets: [UInt8] = []
    for index in stride(from: equals + 1, to: word.count, by: 2) {
      guard let high = Self.digit(word[index]), let low = Self.digit(word[index + 1]) else { return }
      octets.append(high << 4 | low)
    }
    self[algorithm] = octets
  }

  private static func digit(_ letter: UInt8) -> UInt8? {
    switch letter {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): letter - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): letter - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): letter - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
