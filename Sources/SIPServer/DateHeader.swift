import Structures

/// The Date header field (RFC 3261 §20.17), for example `Date: Sat, 13 Nov 2010 23:29:00 GMT`.
enum DateHeader {
  private static let days: StaticString = "ThuFriSatSunMonTueWed"
  private static let months: StaticString = "JanFebMarAprMayJunJulAugSepOctNovDec"

  /// Appends the line with its CRLF.
  static func append(unixSeconds: Int64, to output: inout [UInt8]) {
    let day = unixSeconds / 86_400
    let second = unixSeconds % 86_400
    let (year, month, dayOfMonth) = civil(day)
    output.append("Date: ")
    appendName(days, Int(day % 7), &output)
    output.append(", ")
    appendTwo(dayOfMonth, &output)
    output.append(" ")
    appendName(months, month - 1, &output)
    output.append(" ")
    output.append(decimal: UInt64(year))
    output.append(" ")
    appendTwo(Int(second / 3_600), &output)
    output.append(":")
    appendTwo(Int(second / 60 % 60), &output)
    output.append(":")
    appendTwo(Int(second % 60), &output)
    output.append(" GMT\r\n")
  }

  /// Year, month and day of the Gregorian calendar for a number of days since 1970-01-01, not negative. The year is taken to begin in March, so
  /// that the leap day is its last.
  private static func civil(_ days: Int64) -> (year: Int64, month: Int, day: Int) {
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let index = (5 * dayOfYear + 2) / 153
    let month = Int(index < 10 ? index + 3 : index - 9)
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, Int(dayOfYear - (153 * index + 2) / 5 + 1))
  }

  private static func appendName(_ names: StaticString, _ index: Int, _ output: inout [UInt8]) {
    names.withUTF8Buffer { output.append(contentsOf: $0[index * 3..<index * 3 + 3]) }
  }

  private static func appendTwo(_ number: Int, _ output: inout [UInt8]) {
    output.append(UInt8(0x30 + number / 10))
    output.append(UInt8(0x30 + number % 10))
  }
}
