import Structures

/// Reads source addresses: one, a range `first-last` or, for IPv4, a network `127.1.0.0/24`.
public enum SourceRange {
  /// Most addresses that a range may have.
  private static let largest: UInt64 = 65_536

  /// The addresses of a text, without network and broadcast address of an IPv4 network that has more than two.
  public static func addresses(_ text: String) throws(LoadError) -> [IPAddress] {
    let refusal = LoadError(
      problem: "source '\(text)': write an address, a range first-last or an IPv4 network such as 127.1.0.0/24")
    if let address = IPAddress(text) { return [address] }
    if let slash = text.firstIndex(of: "/") {
      guard let base = IPAddress(String(text[..<slash])), base.family == .v4,
        let bits = UInt64(text[text.index(after: slash)...]), (16...32).contains(bits)
      else { throw refusal }
      let size = UInt64(1) << (32 - bits)
      let network = base.low & ~(size - 1)
      let hosts = size > 2 ? network + 1...network + size - 2 : network...network + size - 1
      return hosts.map { IPAddress(v4: UInt32(truncatingIfNeeded: $0)) }
    }
    guard let dash = text.firstIndex(of: "-"), let first = IPAddress(String(text[..<dash])),
      let last = IPAddress(String(text[text.index(after: dash)...])), first.family == last.family,
      first.high == last.high, first.low <= last.low, last.low - first.low < largest
    else { throw refusal }
    return (first.low...last.low).map {
      first.family == .v4 ? IPAddress(v4: UInt32(truncatingIfNeeded: $0)) : IPAddress(v6: first.high, $0)
    }
  }
}
