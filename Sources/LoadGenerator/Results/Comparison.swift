import Yams

/// The numbers of a result file.
public struct ResultFile: Sendable {
  /// The file's name.
  public let name: String
  /// Each number under its path, such as `timings_ms.message.p50`.
  let numbers: [String: Double]

  /// Reads what ``JSONReport`` wrote.
  public init(json: [UInt8], name: String) throws(LoadError) {
    let node: Node?
    do {
      // JSON is YAML.
      node = try Yams.compose(yaml: String(decoding: json, as: UTF8.self))
    } catch {
      throw LoadError(problem: "\(name) isn't a result of apus-bench: it is no JSON")
    }
    guard let node, let mapping = node.mapping, mapping["format"]?.int == 1 else {
      throw LoadError(problem: "\(name) isn't a result of apus-bench: its format isn't 1")
    }
    var numbers: [String: Double] = [:]
    Self.collect(node, "", into: &numbers)
    self.name = name
    self.numbers = numbers
  }

  private static func collect(_ node: Node, _ path: String, into numbers: inout [String: Double]) {
    if let mapping = node.mapping {
      for (key, value) in mapping {
        let name = key.string ?? ""
        collect(value, path.isEmpty ? name : "\(path).\(name)", into: &numbers)
      }
    } else if let number = node.float {
      numbers[path] = number
    }
  }
}

/// Two results beside each other.
public struct Comparison {
  struct Row: Equatable {
    let name: String
    let left: Double?
    let right: Double?
    /// Whether the right one is better; nil when the row isn't about better and worse, or they are within 2 %.
    let isBetter: Bool?
  }

  private enum Wish { case less, more, none }

  private static let rows: [(path: String, name: String, wish: Wish)] =
    [
      ("succeeded", "operations done", .none), ("failed", "operations failed", .less), ("rate", "operations/s", .more),
      ("server.cpu_us_per_operation", "server CPU µs/operation", .less),
      ("server.bytes_per_connection", "server bytes/connection", .less),
      ("longest_gap_ms", "longest gap ms", .less),
    ]
    + Timing.allCases.flatMap { timing in
      ["p50", "p99", "max"].map { ("timings_ms.\(timing.name).\($0)", "\(timing.name) \($0) ms", Wish.less) }
    }
    + [("generator.cpu_us_per_operation", "generator CPU µs/operation", .none)]

  private let names: (String, String)
  let rows: [Row]

  /// Compares two results.
  public init(_ left: ResultFile, _ right: ResultFile) {
    names = (left.name, right.name)
    rows = Self.rows.compactMap { path, name, wish in
      let (one, two) = (left.numbers[path], right.numbers[path])
      if one == nil, two == nil { return nil }
      return Row(name: name, left: one, right: two, isBetter: Self.judge(one, two, wish))
    }
  }

  private static func judge(_ left: Double?, _ right: Double?, _ wish: Wish) -> Bool? {
    guard wish != .none, let left, let right, abs(left - right) > 0.02 * max(left, right) else { return nil }
    return wish == .less ? right < left : right > left
  }

  /// The table, each line with its end.
  public var text: String {
    var text =
      TextReport.padded("", 28) + TextReport.leading(names.0, 22) + TextReport.leading(names.1, 22) + "    change\n"
    for row in rows {
      text += TextReport.padded(row.name, 28) + Self.cell(row.left) + Self.cell(row.right)
      if let left = row.left, let right = row.right, left != 0 {
        let change = (right / left - 1) * 100
        text += TextReport.leading((change >= 0 ? "+" : "") + TextReport.fixed(change, 1) + " %", 10)
      }
      if let better = row.isBetter { text += better ? "  better" : "  worse" }
      text += "\n"
    }
    return text
  }

  private static func cell(_ number: Double?) -> String {
    TextReport.leading(number.map { TextReport.fixed($0, $0 == $0.rounded() ? 0 : 3) } ?? "-", 22)
  }
}
