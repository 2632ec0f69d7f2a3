import Logging

/// One line of the log in the making.
struct LogLine {
  private var octets: [UInt8] = []

  /// A line with its time (milliseconds since 1970-01-01T00:00:00Z) and its process.
  init(milliseconds: Int64, program: String, process: Int) {
    octets.reserveCapacity(256)
    append(time: milliseconds)
    octets.append(contentsOf: " \(program)[\(process)] ".utf8)
  }

  /// Appends the level, in capitals.
  mutating func append(level: Logger.Level) {
    octets.append(contentsOf: level.rawValue.uppercased().utf8)
    octets.append(UInt8(ascii: " "))
  }

  /// Appends text; control characters become `\xNN`, so that nobody can forge a line.
  mutating func append(text: String) {
    for octet in text.utf8 {
      if octet >= 0x20, octet != 0x7F {
        octets.append(octet)
      } else {
        octets.append(contentsOf: "\\x".utf8)
        append(octet / 16, in: Self.hexadecimal)
        append(octet % 16, in: Self.hexadecimal)
      }
    }
  }

  /// Appends ` key=value`.
  mutating func append(key: String, value: String) {
    octets.append(UInt8(ascii: " "))
    append(text: key)
    octets.append(UInt8(ascii: "="))
    append(text: value)
  }

  /// The octets with the line's end.
  consuming func finish() -> [UInt8] {
    octets.append(UInt8(ascii: "\n"))
    return octets
  }

  private static let hexadecimal = Array("0123456789abcdef".utf8)

  private mutating func append(_ digit: UInt8, in digits: [UInt8]) {
    octets.append(digits[Int(digit)])
  }

  private mutating func append(time milliseconds: Int64) {
    let (days, rest) = Self.divide(milliseconds, by: 86_400_000)
    let (year, month, day) = Self.date(days: days)
    append(year, digits: 4, then: "-")
    append(month, digits: 2, then: "-")
    append(day, digits: 2, then: "T")
    append(rest / 3_600_000, digits: 2, then: ":")
    append(rest / 60_000 % 60, digits: 2, then: ":")
    append(rest / 1_000 % 60, digits: 2, then: ".")
    append(rest % 1_000, digits: 3, then: "Z")
  }

  private mutating func append(_ number: Int64, digits: Int, then end: Unicode.Scalar) {
    var (divisor, rest) = (Int64(1), number)
    for _ in 1..<digits { divisor *= 10 }
    while divisor > 0 {
      octets.append(UInt8(truncatingIfNeeded: rest / divisor % 10) + UInt8(ascii: "0"))
      rest %= divisor
      divisor /= 10
    }
    octets.append(UInt8(ascii: end))
  }

  /// Quotient and remainder, the remainder never negative.
  private static func divide(_ number: Int64, by divisor: Int64) -> (Int64, Int64) {
    let rest = number % divisor
    return rest < 0 ? (number / divisor - 1, rest + divisor) : (number / divisor, rest)
  }

  /// The date of the proleptic Gregorian calendar, so many days after 1970-01-01. Years are counted from March, so that
  /// the leap day is the last of its year.
  private static func date(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = divide(days + 719_468, by: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
  }
}
