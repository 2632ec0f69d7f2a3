/// Which nonces were claimed, in memory: the model of every place that keeps them (``ServerActions/Question/claim(query:key:)``).
///
/// Owned by one thread; several workers of a test may share one. Times are Unix seconds.
public final class InMemoryClaims {
  private var ends: [[UInt8]: Int64] = [:]

  /// None yet.
  public init() {}

  /// How many claims are remembered.
  public var count: Int { ends.count }

  /// Claims the nonce with a name.
  public func claim(_ name: Span<UInt8>, now: Int64) -> ClaimOutcome {
    var key: [UInt8] = []
    key.append(name)
    if let end = ends[key], end > now { return .taken }
    ends[key] = now + ServerActions.claimLifetime.components.seconds
    return .granted
  }

  /// Forgets what has ended.
  public func removeExpired(_ now: Int64) {
    ends = ends.filter { $0.value > now }
  }
}
