import Structures

/// The number of a node in flows, branches and tokens: the same wherever it is computed with the cluster's secret.
enum NodeNumber {
  static func of(_ name: String, _ hashing: any Hashing) -> UInt32 {
    let octets = Array(name.utf8)
    return UInt32(truncatingIfNeeded: hashing.shortMAC(octets.span))
  }
}
