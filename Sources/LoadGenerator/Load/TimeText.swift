/// Lengths of time as people write them.
public enum TimeText {
  private static let units: [(name: String, nanoseconds: Double)] = [
    ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("min", 60e9), ("h", 3_600e9),
  ]

  /// Reads `500ms`, `10s`, `5m`, `1h`; a bare number is seconds; nil for anything else.
  public static func duration(_ text: String) -> Duration? {
    nanoseconds(text).map { .nanoseconds(Int64($0)) }
  }

  /// The same in nanoseconds.
  static func nanoseconds(_ text: String) -> Double? {
    let digits = text.prefix { $0.isNumber || $0 == "." }
    guard let number = Double(digits), number >= 0, number < 1e9 else { return nil }
    let unit = text.dropFirst(digits.count)
    if unit.isEmpty { return number * 1e9 }
    return units.first { $0.name == unit }.map { number * $0.nanoseconds }
  }

  /// The shortest text that ``duration(_:)`` reads as that.
  public static func text(_ duration: Duration) -> String {
    let milliseconds = duration.components.seconds * 1_000 + duration.components.attoseconds / 1_000_000_000_000_000
    return milliseconds % 1_000 == 0 ? "\(milliseconds / 1_000)s" : "\(milliseconds)ms"
  }
}
