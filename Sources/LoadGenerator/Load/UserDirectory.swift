import Structures

/// Names and passwords of all users of a run.
public struct UserDirectory: Sendable {
  private enum Source: Sendable {
    case numbered(prefix: [UInt8], digits: Int, first: Int, password: [UInt8])
    case listed(names: [[UInt8]], passwords: [[UInt8]])
  }

  /// How many users there are.
  public let count: Int
  private let source: Source

  /// `u0000001`, `u0000002`, …: a prefix and a number of so many digits; one password for all.
  public static func numbered(
    count: Int, prefix: String, digits: Int, first: Int, password: String
  ) -> UserDirectory {
    UserDirectory(
      count: count,
      source: .numbered(prefix: Array(prefix.utf8), digits: digits, first: first, password: Array(password.utf8)))
  }

  /// Users by a format such as `u%07d`, the only placeholder being one number with optional leading zeros.
  public static func formatted(
    _ format: String, count: Int, first: Int, password: String
  ) throws(LoadError) -> UserDirectory {
    let octets = Array(format.utf8)
    guard let percent = octets.firstIndex(of: 0x25), octets.last == UInt8(ascii: "d"),
      let digits = percent + 1 == octets.count - 1
        ? 1 : octets[(percent + 1)..<(octets.count - 1)].span.decimal
    else { throw LoadError(problem: "user format '\(format)': write a name with one number at its end, as in u%07d") }
    let prefix = String(decoding: octets[..<percent], as: UTF8.self)
    return .numbered(count: count, prefix: prefix, digits: max(1, digits), first: first, password: password)
  }

  /// Users of a CSV text: a line each with `user,password`; empty lines and lines that begin with `#` are skipped.
  public static func listed(csv: [UInt8], count: Int?) throws(LoadError) -> UserDirectory {
    var (names, passwords): ([[UInt8]], [[UInt8]]) = ([], [])
    for line in csv.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) where line.first != 0x23 {
      let parts = line.split(separator: 0x2C, maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = parts.first, !name.isEmpty else {
        throw LoadError(problem: "user file, line \(names.count + 1): no user before the comma")
      }
      names.append(Array(name))
      passwords.append(parts.count > 1 ? Array(parts[1]) : [])
    }
    let wanted = count ?? names.count
    guard wanted <= names.count, wanted > 0 else {
      throw LoadError(problem: "user file: it has \(names.count) users, \(wanted) are wanted: lower --count-users")
    }
    return UserDirectory(count: wanted, source: .listed(names: names, passwords: passwords))
  }

  /// The user part of the address of record of the user at `index`, from 0.
  public func name(_ index: Int) -> [UInt8] {
    switch source {
    case .listed(let names, _): return names[index]
    case .numbered(let prefix, let digits, let first, _):
      var number: [UInt8] = []
      number.append(decimal: UInt64(index + first))
      let zeros = [UInt8](repeating: 0x30, count: max(0, digits - number.count))
      return prefix + zeros + number
    }
  }

  /// The password of the user at `index`, from 0.
  public func password(_ index: Int) -> [UInt8] {
    switch source {
    case .listed(_, let passwords): passwords[index]
    case .numbered(_, _, _, let password): password
    }
  }
}
