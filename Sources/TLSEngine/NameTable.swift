/// Values by domain names: whole ones, and patterns such as `*.example.test`, which stands for every name below the domain.
public struct NameTable<Value> {
  private var exact: [String: Value] = [:]
  private var patterns: [String: Value] = [:]

  /// A table without names.
  public init() {}

  /// Whether it has no name at all.
  public var isEmpty: Bool { exact.isEmpty && patterns.isEmpty }

  /// All that was given, in no order.
  public var values: [Value] { Array(exact.values) + Array(patterns.values) }

  /// Gives a name or pattern a value, in place of the one that it had; letters are compared without case.
  public mutating func set(_ value: Value, for name: String) {
    let small = name.lowercased()
    if small.hasPrefix("*.") { patterns[String(small.dropFirst(2))] = value } else { exact[small] = value }
  }

  /// The value of a name: its own, else that of the longest pattern that it is below.
  public subscript(_ name: String) -> Value? {
    let small = name.lowercased()
    if let own = exact[small] { return own }
    if patterns.isEmpty { return nil }
    var rest = small[...]
    while let dot = rest.firstIndex(of: ".") {
      rest = rest[rest.index(after: dot)...]
      if let found = patterns[String(rest)] { return found }
    }
    return nil
  }
}
