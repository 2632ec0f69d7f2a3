/// What the registrar grants (RFC 3261 §10.3 step 7). Times are in seconds.
public struct RegistrarSettings: Sendable, Equatable {
  /// Granted to a contact that asks for no time.
  public var defaultExpires: Int64
  /// A shorter wish is answered with 423.
  public var minExpires: Int64
  /// A longer wish is cut to this; 0: never.
  public var maxExpires: Int64
  /// Contacts that one address of record may have.
  public var maxContacts: Int
  /// Percent, 0 to 50, by which granted times are shortened at random, so that clients that registered together don't refresh together.
  public var expiresSpread: Int64
  /// How often, in seconds, clients are told to show life on their connection (RFC 5626 §6); 0: they are told nothing.
  public var flowTimer: Int64
  /// Whether clients are told to send their requests by way of this server (RFC 3608 §6.3).
  public var serviceRoute: Bool

  /// The settings; the defaults are those of the configuration.
  public init(
    defaultExpires: Int64 = 3_600, minExpires: Int64 = 60, maxExpires: Int64 = 0, maxContacts: Int = 10,
    expiresSpread: Int64 = 10, flowTimer: Int64 = 120, serviceRoute: Bool = true
  ) {
    self.defaultExpires = defaultExpires
    self.minExpires = minExpires
    self.maxExpires = maxExpires
    self.maxContacts = maxContacts
    self.expiresSpread = expiresSpread
    self.flowTimer = flowTimer
    self.serviceRoute = serviceRoute
  }

  /// Wishes below this, in seconds, are granted as they are: so short a time is kept for its precision.
  private static let shortestSpread: Int64 = 600
  /// RFC 3261 §10.3 step 7: a wish of an hour or more is never too brief, whatever the minimum.
  private static let neverTooBrief: Int64 = 3_600

  /// Whether a time that a client asked for is to be answered with 423.
  func isTooBrief(_ wish: Int64) -> Bool {
    wish > 0 && wish < Self.neverTooBrief && wish < minExpires
  }

  /// The time granted for a wish: cut to the maximum, then shortened by a part that `random` chooses; never below the minimum, never
  /// longer than asked. 0 stays 0.
  func granted(_ wish: Int64, random: UInt64) -> Int64 {
    let cut = maxExpires > 0 ? min(wish, maxExpires) : wish
    guard wish >= Self.shortestSpread, expiresSpread > 0 else { return cut }
    let range = UInt64(max(cut, 0)) * UInt64(min(expiresSpread, 50)) / 100
    return max(cut - Int64(random % (range + 1)), min(minExpires, cut))
  }
}
