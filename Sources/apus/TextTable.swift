import Configuration
import Foundation

/// Rows of JSON objects as a table: a column for each name that is wanted and that any row has, as wide as its widest text. A single row
/// that has more than fits a terminal stands as one line for each name.
struct TextTable {
  /// More characters do not fit a line of most terminals: then a single row is written in lines.
  private static let width = 120

  private let columns: [String]
  private var rows: [[String]] = []

  /// A table without rows.
  init(columns: [String]) { self.columns = columns }

  /// Adds an object.
  mutating func add(_ row: JSONValue) {
    rows.append(columns.map { Self.text(row[$0]) })
  }

  /// The lines to be printed; none when there are no rows.
  var lines: [String] {
    guard !rows.isEmpty else { return [] }
    let widths = columns.indices.map { column in
      max(columns[column].count, rows.reduce(0) { max($0, $1[column].count) })
    }
    if rows.count == 1, widths.reduce(0, { $0 + $1 + 2 }) > Self.width { return listing }
    return [line(columns, widths)] + rows.map { line($0, widths) }
  }

  private var listing: [String] {
    let width = columns.map(\.count).max() ?? 0
    return zip(columns, rows[0]).map { "\(Self.padded($0, width))  \($1)" }
  }

  private func line(_ cells: [String], _ widths: [Int]) -> String {
    let all = cells.indices.map { Self.padded(cells[$0], widths[$0]) }.joined(separator: "  ")
    return String(all.reversed().drop { $0 == " " }.reversed())
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  private static func text(_ value: JSONValue?) -> String {
    switch value {
    case nil, .null: "-"
    case .string(let text): printable(text)
    case let value?: printable(String(decoding: value.octets, as: UTF8.self))
    }
  }

  /// What strangers wrote must not move the cursor of an administrator's terminal.
  private static func printable(_ text: String) -> String {
    if text.isEmpty { return "-" }
    return String(String.UnicodeScalarView(text.unicodeScalars.map { isHarmless($0) ? $0 : "?" }))
  }

  private static func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse: false
    default: true
    }
  }
}
