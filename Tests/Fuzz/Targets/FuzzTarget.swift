import Structures

/// Something that takes any octets and in which some things are always true. The fuzzer looks for octets that show otherwise; `FindingTests` runs
/// those that once did.
struct FuzzTarget: Sendable {
  /// How the target, its corpus and its findings are named.
  let name: String
  /// Runs one input; throws where something isn't as it must be.
  let run: @Sendable (_ input: [UInt8]) throws(Complaint) -> Void

  /// All targets; `Tests/Fuzz/run` reads their names here.
  static let all: [FuzzTarget] = [
    FuzzTarget(name: "message", run: MessageTarget.run),
    FuzzTarget(name: "framer", run: FramerTarget.run),
    FuzzTarget(name: "uri", run: URITarget.run),
    FuzzTarget(name: "token", run: TokenTarget.run),
    FuzzTarget(name: "stun", run: StunTarget.run),
    FuzzTarget(name: "link", run: LinkTarget.run),
    FuzzTarget(name: "transactions", run: TransactionsTarget.run),
    FuzzTarget(name: "server", run: ServerTarget.run),
    FuzzTarget(name: "configuration", run: ConfigurationTarget.run),
    FuzzTarget(name: "growth", run: GrowthTarget.run),
  ]
}

/// What isn't as it must be.
struct Complaint: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }

  /// Complains unless `condition` holds.
  static func unless(_ condition: Bool, _ description: @autoclosure () -> String) throws(Complaint) {
    if !condition { throw Complaint(description()) }
  }
}

/// Takes an input apart, octet by octet; at its end everything is 0.
struct InputReader {
  private let octets: [UInt8]
  private(set) var position = 0

  init(_ octets: [UInt8]) { self.octets = octets }

  var isAtEnd: Bool { position >= octets.count }
  /// What has not been read.
  var rest: [UInt8] { Array(octets[min(position, octets.count)...]) }

  mutating func octet() -> UInt8 {
    defer { position += 1 }
    return isAtEnd ? 0 : octets[position]
  }

  /// A number below `bound`, which is at most 256.
  mutating func number(below bound: Int) -> Int { Int(octet()) % bound }
}

/// Functions that are fast and prove nothing. A gullible one opens whatever it is given and finds every check right, so that a fuzzer
/// reaches what only our own octets reach otherwise.
final class FuzzHashing: Hashing {
  private var word: UInt64 = 1
  private let isGullible: Bool

  init(isGullible: Bool = false) { self.isGullible = isGullible }

  func shortMAC(_ octets: Span<UInt8>) -> UInt64 {
    if isGullible { return 0 }
    var word: UInt64 = 0xCBF2_9CE4_8422_2325
    for index in octets.indices { word = (word ^ UInt64(octets[index])) &* 0x100_0000_01B3 }
    return word ^ word >> 29
  }

  func appendHash(_ algorithm: HashAlgorithm, _ octets: Span<UInt8>, to output: inout [UInt8]) {
    let word = shortMAC(octets)
    for part in 0..<algorithm.length / 8 { output.append(bigEndian: word &+ UInt64(part), 8) }
  }

  func appendMAC(_ octets: Span<UInt8>, to output: inout [UInt8]) { appendHash(.sha256, octets, to: &output) }

  func seal(_ octets: Span<UInt8>, to output: inout [UInt8]) {
    appendHash(.md5, octets, to: &output)
    output.append(octets)
  }

  func open(_ octets: Span<UInt8>, to output: inout [UInt8]) -> Bool {
    guard octets.count >= 16 else { return false }
    let content = octets.extracting(16..<octets.count)
    guard isGullible || octets.bigEndian(0, 8) == shortMAC(content) else { return false }
    output.append(content)
    return true
  }

  func randomWord() -> UInt64 {
    word = word &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return word
  }
}
