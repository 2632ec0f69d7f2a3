/// Who may import whom. The manifest, every `import` line and the table of `Sources/README.md` are held against this.
enum LayerTable {
  struct Row: Sendable {
    let target: String
    /// Other modules that the target may import; the standard library goes without saying.
    let mayImport: [String]
    let isPure: Bool
    let summary: String
  }

  /// From the bottom up. Pure rows get octets, time and decisions as values: no clock, socket, log or random source.
  static let rows: [Row] = [
    row("CLinux", [], "system calls and constants that Glibc's module lacks"),
    row("COpenSSL", [], "OpenSSL's macros as functions"),
    row("CTLSRecords", [], "the record layer of established TLS connections"),
    row("CHiredis", [], "hiredis' protocol reader as flat lists"),
    pure("Structures", [], "instants, timer wheel, slots, addresses, flows"),
    pure("SIPMessage", ["Structures"], "octets to messages and back; stream framing; URIs"),
    pure("SIPTransaction", ["Structures", "SIPMessage"], "the four transaction machines"),
    pure("SIPServer", ["Structures", "SIPMessage", "SIPTransaction"], "proxy, registrar, location, authentication"),
    pure("Configuration", ["Structures"], "settings: table, checks, reference"),
    row("Log", ["Logging", "CLinux", "Glibc"], "log lines to the standard error or a file"),
    row("Reactor", ["Structures", "CLinux", "Glibc"], "event loop, sockets, deadlines"),
    row("TLSEngine", ["Structures", "COpenSSL", "CTLSRecords", "Glibc"], "TLS as octets in, octets out; certificates"),
    row(
      "Transport", ["Structures", "SIPMessage", "Reactor", "TLSEngine", "Glibc"],
      "listeners, connections, flows"),
    row("Cluster", ["Structures", "Reactor", "CLinux"], "links between the workers of a node"),
    row(
      "RedisLocation", ["Structures", "SIPServer", "Reactor", "TLSEngine", "CHiredis", "Glibc"],
      "the client of a Redis server, and the location in it"),
    row(
      "Worker",
      [
        "Structures", "SIPMessage", "SIPTransaction", "SIPServer", "Configuration", "Reactor", "TLSEngine",
        "Transport", "Cluster", "RedisLocation", "Log", "Logging", "CLinux", "Glibc",
      ],
      "one worker: transport events to the core, actions back"),
    row(
      "Supervisor",
      ["Structures", "Configuration", "Reactor", "CLinux", "Log", "Logging", "Yams", "Glibc"],
      "configuration, sockets, workers' lifetime"),
    row(
      "Admin", ["Structures", "Configuration", "Reactor", "CLinux", "Log", "Logging", "Glibc"],
      "the process that fetches by HTTP"),
    row(
      "apus",
      ["Supervisor", "Configuration", "TLSEngine", "Structures", "ArgumentParser", "Yams", "Foundation"],
      "the command line"),
    row("apus-worker", ["Worker"], "a worker process"),
    row("apus-admin", ["Admin"], "the admin process"),
    row("CAllocationCount", [], "counts heap allocations, for `benchmarks/micro`"),
    row(
      "micro",
      ["Structures", "SIPMessage", "SIPTransaction", "SIPServer", "TLSEngine", "CAllocationCount"],
      "micro benchmarks"),
    row("crossing", ["Structures", "Reactor", "CLinux", "Cluster", "Glibc"], "measures the links between workers"),
    row("redis-bench", ["Structures", "Reactor", "RedisLocation", "Glibc"], "what a command to Redis costs us"),
    row(
      "Simulation", ["Structures", "SIPTransaction", "SIPServer"],
      "phones and a network in simulated time, for tests"),
    row("simulate", ["Simulation", "Glibc"], "runs simulations by their seeds"),
    row("CLoadGenerator", ["CLinux"], "client sockets, precise timer, /proc, OpenSSL's headers for the load generator"),
    row(
      "LoadGenerator", ["Structures", "Reactor", "CLinux", "CLoadGenerator", "Histogram", "Yams"],
      "users, scenarios and results of apus-bench; no reader or writer of the server's"),
    row(
      "apus-bench", ["LoadGenerator", "Structures", "ArgumentParser", "Glibc"],
      "the load generator's command line"),
  ]

  /// Targets that lie elsewhere than in Sources: benchmarks, and what tests are made of.
  static let outside: Set<String> = ["CAllocationCount", "micro", "crossing", "redis-bench", "Simulation", "simulate"]

  static func row(for target: String) -> Row? { rows.first { $0.target == target } }

  /// The table as `Sources/README.md` must carry it between its two `layers` markers: the targets that exist.
  static func markdown(targets: Set<String>) -> String {
    var text = "| target | what it is | may import |\n| --- | --- | --- |\n"
    for row in rows where targets.contains(row.target) {
      let imports = row.mayImport.map { "`\($0)`" }.joined(separator: ", ")
      text +=
        "| `\(row.target)`\(row.isPure ? " (pure)" : "") | \(row.summary) | \(imports.isEmpty ? "–" : imports) |\n"
    }
    return text
  }

  private static func pure(_ target: String, _ mayImport: [String], _ summary: String) -> Row {
    Row(target: target, mayImport: mayImport, isPure: true, summary: summary)
  }

  private static func row(
    _ target: String, _ mayImport: [String], _ summary: String
  ) -> Row {
    Row(target: target, mayImport: mayImport, isPure: false, summary: summary)
  }
}
