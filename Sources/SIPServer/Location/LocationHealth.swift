/// How a location is and what it holds.
public struct LocationHealth: Sendable, Equatable {
  /// Since when Redis could not be used, in Unix seconds; nil while it can.
  public var degradedSince: Int64?
  /// Whether questions can be asked.
  public var isConnected = true
  /// Whether changes made by other workers are told.
  public var isSubscribed = true
  /// Addresses of record with refreshes or registrations that are to be written.
  public var queued = 0
  /// Addresses of record of which something is to be removed once Redis is back.
  public var stalled = 0
  /// Commands without a reply yet.
  public var underWay = 0
  /// Addresses of record with bindings of this worker.
  public var records = 0
  /// Bindings of this worker.
  public var bindings = 0
  /// Addresses of record in the cache of lookups.
  public var cached = 0
  /// About how many octets of memory that takes.
  public var cachedOctets = 0

  /// That of a location which holds nothing and lacks nothing.
  public init() {}
}
