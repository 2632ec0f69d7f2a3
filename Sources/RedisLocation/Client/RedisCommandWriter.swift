import Structures

/// Writes commands as a Redis server reads them (RESP arrays of bulk strings) into memory that is reused.
///
/// A command begins with the count of its arguments, the name being the first; then each argument is appended, in one part or several.
/// Wrong counts are a fault of the caller and trap in ``clear()`` and ``begin(_:)``.
public struct RedisCommandWriter: ~Copyable {
  /// Whole commands, one after the other.
  public private(set) var octets: [UInt8] = []
  private var missing = 0

  /// A writer that holds nothing.
  public init() {}

  /// Forgets what was written and keeps the memory.
  public mutating func clear() {
    precondition(missing == 0, "a command lacks arguments")
    octets.clear()
  }

  /// Begins a command of `count` arguments, at least 1, its name counted.
  public mutating func begin(_ count: Int) {
    precondition(missing == 0 && count > 0, "a command lacks arguments")
    missing = count
    octets.append(addingCapacity: Self.frame) { $0.append(redisHead: 0x2A, count) }
  }

  /// Appends an argument.
  @inline(__always)
  public mutating func argument(_ literal: StaticString) {
    literal.withUTF8Buffer { argument($0.span) }
  }

  /// Appends an argument of any octets.
  public mutating func argument(_ part: Span<UInt8>) {
    countArgument()
    octets.append(addingCapacity: Self.frame + part.count) {
      $0.append(redisHead: 0x24, part.count)
      $0.append(part)
      $0.appendLineBreak()
    }
  }

  /// Appends one argument that consists of two parts, a prefix and a name for instance.
  public mutating func argument(_ first: Span<UInt8>, _ second: Span<UInt8>) {
    countArgument()
    let length = first.count + second.count
    octets.append(addingCapacity: Self.frame + length) {
      $0.append(redisHead: 0x24, length)
      $0.append(first)
      $0.append(second)
      $0.appendLineBreak()
    }
  }

  /// Appends one argument that consists of three parts.
  public mutating func argument(_ first: Span<UInt8>, _ second: Span<UInt8>, _ third: Span<UInt8>) {
    countArgument()
    let length = first.count + second.count + third.count
    octets.append(addingCapacity: Self.frame + length) {
      $0.append(redisHead: 0x24, length)
      $0.append(first)
      $0.append(second)
      $0.append(third)
      $0.appendLineBreak()
    }
  }

  /// Appends a number in decimal as an argument.
  public mutating func argument(decimal number: Int64) {
    countArgument()
    let magnitude = number.magnitude
    octets.append(addingCapacity: Self.frame + OutputSpan<UInt8>.decimalDigits + 1) {
      $0.append(redisHead: 0x24, Self.digits(magnitude) + (number < 0 ? 1 : 0))
      if number < 0 { $0.append(0x2D) }
      $0.append(decimal: magnitude)
      $0.appendLineBreak()
    }
  }

  /// Room for what stands around an argument: its length with a sign before and a line break behind, and one at its end.
  private static var frame: Int { OutputSpan<UInt8>.decimalDigits + 5 }

  private mutating func countArgument() {
    precondition(missing > 0, "more arguments than the command has")
    missing -= 1
  }

  private static func digits(_ number: UInt64) -> Int {
    var (count, rest) = (1, number)
    while rest > 9 {
      rest /= 10
      count += 1
    }
    return count
  }
}

extension OutputSpan<UInt8> {
  fileprivate mutating func append(redisHead kind: UInt8, _ number: Int) {
    append(kind)
    append(decimal: UInt64(number))
    appendLineBreak()
  }

  fileprivate mutating func appendLineBreak() {
    append(0x0D)
    append(0x0A)
  }
}
