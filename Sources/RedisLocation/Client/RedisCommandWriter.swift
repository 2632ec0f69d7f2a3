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
    appendHead(0x2A, count)
  }

  /// Appends an argument.
  @inline(__always)
  public mutating func argument(_ literal: StaticString) {
    literal.withUTF8Buffer { argument($0.span) }
  }

  /// Appends an argument of any octets.
  public mutating func argument(_ part: Span<UInt8>) {
    beginArgument(part.count)
    octets.append(part)
    endArgument()
  }

  /// Appends one argument that consists of two parts, a prefix and a name for instance.
  public mutating func argument(_ first: Span<UInt8>, _ second: Span<UInt8>) {
    beginArgument(first.count + second.count)
    octets.append(first)
    octets.append(second)
    endArgument()
  }

  /// Appends one argument that consists of three parts.
  public mutating func argument(_ first: Span<UInt8>, _ second: Span<UInt8>, _ third: Span<UInt8>) {
    beginArgument(first.count + second.count + third.count)
    octets.append(first)
    octets.append(second)
    octets.append(third)
    endArgument()
  }

  /// Appends a number in decimal as an argument.
  public mutating func argument(decimal number: Int64) {
    let magnitude = number.magnitude
    beginArgument(Self.digits(magnitude) + (number < 0 ? 1 : 0))
    if number < 0 { octets.append(0x2D) }
    octets.append(decimal: magnitude)
    endArgument()
  }

  private mutating func beginArgument(_ length: Int) {
    precondition(missing > 0, "more arguments than the command has")
    missing -= 1
    appendHead(0x24, length)
  }

  private mutating func endArgument() { octets.append("\r\n") }

  private mutating func appendHead(_ kind: UInt8, _ number: Int) {
    octets.append(addingCapacity: OutputSpan<UInt8>.decimalDigits + 3) {
      $0.append(kind)
      $0.append(decimal: UInt64(number))
      $0.append("\r\n")
    }
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
