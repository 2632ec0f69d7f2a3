import CLinux

/// Host names that are being looked up, by the host's own means, which may block a thread of theirs for as long as they like.
/// So many at a time; those that nobody waits for any more are freed when they end.
final class LookupPool {
  /// Lookups at a time.
  static let most = 32

  private var running = 0
  private var abandoned: [OpaquePointer] = []

  /// Begins one; nil when there are too many.
  func start(_ host: String) -> OpaquePointer? {
    abandoned.removeAll { lookup in
      guard clinux_lookup_end(lookup) else { return false }
      running -= 1
      return true
    }
    guard running < Self.most, let lookup = clinux_lookup_start(host) else { return nil }
    running += 1
    return lookup
  }

  /// Nobody needs it any more.
  func end(_ lookup: OpaquePointer) {
    if clinux_lookup_end(lookup) { running -= 1 } else { abandoned.append(lookup) }
  }
}
