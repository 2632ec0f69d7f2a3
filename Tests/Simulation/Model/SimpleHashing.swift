import Structures

/// Hash functions that are fast and prove nothing, for tests that send very many messages.
package final class SimpleHashing: Hashing {
  private var random: SplitMix

  /// Functions whose random words follow from the seed.
  package init(seed: UInt64) { random = SplitMix(seed: seed) }

  package func shortMAC(_ octets: Span<UInt8>) -> UInt64 {
    var word: UInt64 = 0xCBF2_9CE4_8422_2325
    for index in octets.indices { word = (word ^ UInt64(octets[index])) &* 0x100_0000_01B3 }
    return word ^ word >> 29
  }

  package func appendHash(_ algorithm: HashAlgorithm, _ octets: Span<UInt8>, to output: inout [UInt8]) {
    let word = shortMAC(octets)
    for part in 0..<algorithm.length / 8 { output.append(bigEndian: word &+ UInt64(part), 8) }
  }

  package func appendMAC(_ octets: Span<UInt8>, to output: inout [UInt8]) { appendHash(.sha256, octets, to: &output) }

  package func seal(_ octets: Span<UInt8>, to output: inout [UInt8]) {
    appendHash(.md5, octets, to: &output)
    output.append(octets)
  }

  package func open(_ octets: Span<UInt8>, to output: inout [UInt8]) -> Bool {
    guard octets.count >= 16, octets.bigEndian(0, 8) == shortMAC(octets.extracting(16..<octets.count)) else {
      return false
    }
    output.append(octets.extracting(16..<octets.count))
    return true
  }

  package func randomWord() -> UInt64 { random.next() }
}
