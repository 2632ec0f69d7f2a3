import Structures

/// A hash that is none, and numbers that repeat themselves.
final class PlainHashing: Hashing {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

  func shortMAC(_ octets: Span<UInt8>) -> UInt64 { octets.mixed(into: 7) }

  func appendHash(_ algorithm: HashAlgorithm, _ octets: Span<UInt8>, to output: inout [UInt8]) {
    output += [UInt8](repeating: 0, count: algorithm.length)
  }

  func appendMAC(_ octets: Span<UInt8>, to output: inout [UInt8]) { output += [UInt8](repeating: 0, count: 32) }

  func seal(_ octets: Span<UInt8>, to output: inout [UInt8]) { output.append(octets) }

  func open(_ octets: Span<UInt8>, to output: inout [UInt8]) -> Bool { false }

  func randomWord() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state ^ state >> 29
  }
}
