internal import Structures

/// A value of the file, understood.
enum SettingValue: Sendable, Equatable {
  case text(String)
  case boolean(Bool)
  /// A count, a number of bytes or of whole seconds; 0 for `auto`.
  case number(Int)
  case duration(Duration)
  case texts([String])
}

/// Why a value was refused.
struct ValueProblem: Error, Equatable {
  var problem: String
  var remedy: String
}

extension SettingType {
  /// Reads the words of a file.
  func read(_ text: String) throws(ValueProblem) -> SettingValue {
    switch self {
    case .text(let rule): return .text(try rule.read(text))
    case .file, .path: return .text(try TextRule.any.read(text))
    case .boolean: return .boolean(try Self.readBoolean(text))
    case .count(let range): return .number(try readNumber(text, range))
    case .countOrAuto(let range): return .number(text == "auto" ? 0 : try readNumber(text, range))
    case .size(let range):
      guard let bytes = Self.readSize(text) else { throw refusal(of: text) }
      return .number(try within(range, bytes, text))
    case .seconds(let range, let zero):
      guard let milliseconds = Self.readMilliseconds(text), milliseconds % 1_000 == 0 else { throw refusal(of: text) }
      if milliseconds == 0, zero != nil { return .number(0) }
      return .number(try within(range, milliseconds / 1_000, text))
    case .duration(let range, let zero):
      if zero != nil, text == "off" || text == "no" { return .duration(.zero) }
      guard let milliseconds = Self.readMilliseconds(text) else { throw refusal(of: text) }
      if milliseconds == 0, zero != nil { return .duration(.zero) }
      return .duration(.milliseconds(try within(range, milliseconds, text)))
    case .choice(let words):
      guard words.contains(text) else { throw refusal(of: text) }
      return .text(text)
    case .files: return .texts([try TextRule.any.read(text)])
    case .list(let rule), .names(let rule): return .texts([try rule.read(text)])
    case .items, .either, .rules: throw refusal(of: text)
    }
  }

  private func readNumber(_ text: String, _ range: ClosedRange<Int>) throws(ValueProblem) -> Int {
    guard let number = Int(text), text.utf8.first != UInt8(ascii: "+") else { throw refusal(of: text) }
    return try within(range, number, text)
  }

  private func within(_ range: ClosedRange<Int>, _ number: Int, _ text: String) throws(ValueProblem) -> Int {
    guard range.contains(number) else {
      throw ValueProblem(problem: "'\(text)' is out of range", remedy: "give \(summary)")
    }
    return number
  }

  private func refusal(of text: String) -> ValueProblem {
    ValueProblem(problem: "'\(text)' is not \(noun)", remedy: "give \(summary)")
  }

  private static func readBoolean(_ text: String) throws(ValueProblem) -> Bool {
    switch text.lowercased() {
    case "yes", "on", "true", "1": return true
    case "no", "off", "false", "0": return false
    default: throw ValueProblem(problem: "'\(text)' is neither yes nor no", remedy: "give yes or no")
    }
  }

  /// Bytes from `4096`, `64k` or `1m`; nil for anything else.
  static func readSize(_ text: String) -> Int? {
    let (digits, unit) = splitUnit(text)
    guard let number = Int(digits) else { return nil }
    let factor: Int
    switch unit {
    case "": factor = 1
    case "k", "K": factor = 1_024
    case "m", "M": factor = 1_048_576
    default: return nil
    }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: factor)
    return overflow ? nil : bytes
  }

  /// Milliseconds from `10` (seconds), `500ms`, `10s`, `5m`, `1h` or `2d`; nil for anything else.
  static func readMilliseconds(_ text: String) -> Int? {
    let (digits, unit) = splitUnit(text)
    guard let number = Int(digits) else { return nil }
    let factor: Int
    switch unit {
    case "ms": factor = 1
    case "", "s": factor = 1_000
    case "m": factor = 60_000
    case "h": factor = 3_600_000
    case "d": factor = 86_400_000
    default: return nil
    }
    let (milliseconds, overflow) = number.multipliedReportingOverflow(by: factor)
    return overflow ? nil : milliseconds
  }

  private static func splitUnit(_ text: String) -> (digits: Substring, unit: Substring) {
    let end = text.utf8.firstIndex { $0.decimalDigit == nil } ?? text.endIndex
    return (text[..<end], text[end...])
  }
}

extension SettingType {
  /// The type with an article, as an error names it.
  var noun: String {
    switch self {
    case .text(let rule): rule.noun
    case .file: "a file"
    case .files: "a list of files and directories, or a single one"
    case .path: "a path"
    case .boolean: "yes or no"
    case .count: "a whole number"
    case .countOrAuto: "auto or a whole number"
    case .size: "a number of bytes"
    case .seconds: "a time in whole seconds"
    case .duration: "a time"
    case .choice: "one of the words known here"
    case .list(let rule): "a list: each \(rule.noun)"
    case .names(let rule): "a list or a map: each \(rule.noun)"
    case .items: "a list"
    case .either: "a text or a map"
    case .rules: "a list"
    }
  }

  /// The type with its range, for errors, the sample and the reference.
  var summary: String {
    switch self {
    case .count(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
    case .countOrAuto(let range): "auto, or a whole number from \(range.lowerBound) to \(range.upperBound)"
    case .size(let range):
      "bytes, or with k or m, from \(Self.write(size: range.lowerBound)) to \(Self.write(size: range.upperBound))"
    case .seconds(let range, let zero):
      "a time such as 90 (seconds), 30s, 5m or 1h, from \(Self.write(milliseconds: range.lowerBound * 1_000)) "
        + "to \(Self.write(milliseconds: range.upperBound * 1_000))" + (zero.map { ", or 0: \($0)" } ?? "")
    case .duration(let range, let zero):
      "a time such as 10 (seconds), 500ms, 5m or 1h, from \(Self.write(milliseconds: range.lowerBound)) "
        + "to \(Self.write(milliseconds: range.upperBound))" + (zero.map { ", or 0: \($0)" } ?? "")
    case .choice(let words): words.dropLast().joined(separator: ", ") + " or " + (words.last ?? "")
    default: noun
    }
  }

  /// The shortest form of a number of bytes.
  static func write(size: Int) -> String {
    if size > 0, size % 1_048_576 == 0 { return "\(size / 1_048_576)m" }
    if size > 0, size % 1_024 == 0 { return "\(size / 1_024)k" }
    return "\(size)"
  }

  /// The shortest form of a time.
  static func write(milliseconds: Int) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")]
    for (size, name) in units where milliseconds > 0 && milliseconds % size == 0 {
      return "\(milliseconds / size)\(name)"
    }
    return "\(milliseconds)ms"
  }
}
