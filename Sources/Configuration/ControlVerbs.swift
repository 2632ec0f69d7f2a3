/// All verbs of `apus ctl`.
public enum ControlVerbs {
  /// In the order in which help lists them.
  public static let all: [ControlVerb] = core + workers + location + tls + others

  /// The verb of that name; nil when there is none.
  public static func find(_ name: String) -> ControlVerb? { all.first { $0.name == name } }

  /// The problem that there is no such verb, with those that may be meant.
  public static func unknown(_ name: String) -> ControlProblem {
    let near = all.map { ($0.name, distance(name, $0.name)) }.filter { $0.1 <= 3 }.sorted { $0.1 < $1.1 }
    let remedy =
      near.first.map { "did you mean \($0.0)? apus ctl help lists all verbs" } ?? "apus ctl help lists all verbs"
    return ControlProblem(.usage, "there is no verb '\(name)'", remedy: remedy)
  }

  /// How many letters to change, add or remove make one word of another.
  static func distance(_ left: String, _ right: String) -> Int {
    let (left, right) = (Array(left.utf8.prefix(64)), Array(right.utf8.prefix(64)))
    var row = Array(0...right.count)
    for (index, letter) in left.enumerated() {
      var diagonal = row[0]
      row[0] = index + 1
      for place in right.indices {
        let change = diagonal + (letter == right[place] ? 0 : 1)
        diagonal = row[place + 1]
        row[place + 1] = min(change, diagonal + 1, row[place] + 1)
      }
    }
    return row[right.count]
  }

  private static let aor = ControlVerb.Parameter(name: "aor", form: .required, placeholder: "AOR")
  private static let bindingColumns = ["aor", "contact", "expires", "q", "transport", "remote", "slot"]
  private static let aorDetails =
    "AOR is user@domain or a SIP URI, of a domain that the node serves."

  private static let core = [
    ControlVerb(
      "core.ps", .supervisor,
      columns: [
        "role", "slot", "generation", "pid", "uptime", "rss_kb", "pss_kb", "connections", "bindings", "cpu_ms",
        "longest_turn_us",
      ], "the node's processes",
      details:
        "Memory is in KiB: rss_kb counts shared pages whole, pss_kb by their share. longest_turn_us is the longest turn of "
        + "the worker's loop since it started, in microseconds."),
    ControlVerb("core.uptime", .supervisor, columns: ["now", "started", "uptime"], "since when the node runs"),
    ControlVerb("core.version", .supervisor, columns: ["version"], "the version of the running supervisor"),
    ControlVerb("core.sockets", .supervisor, columns: ["transport", "address", "sockets"], "where the node listens"),
  ]

  private static let workers = [
    ControlVerb(
      "worker.list", .supervisor, columns: ["slot", "generation", "pid", "state", "uptime", "connections"],
      "the workers and how they are"),
    ControlVerb(
      "worker.restart", .supervisor,
      [
        .init(name: "slot", form: .optional, placeholder: "SLOT"), .init(name: "all", form: .flag, placeholder: ""),
      ], columns: ["slot", "state"], "replace a worker, or all, one after the other",
      details:
        "The next process of the slot starts, takes listeners and connections over while both serve, and only then is it the next slot's "
        + "turn. When it fails the node stays as it was. The process that was replaced ends when the transactions that it has begun are done. "
        + "The answer comes at once; worker.list shows how far it is."),
    ControlVerb(
      "drain", .supervisor,
      [
        .init(name: "time", form: .option, placeholder: "SECONDS"),
        .init(name: "refuse", form: .flag, placeholder: ""),
      ], columns: ["state", "connections", "seconds"], "move all clients elsewhere, a few at a time",
      details:
        "Connections are closed each second, evenly over 60 s or --time, those with requests under way last; at the end all are. OPTIONS to the server is answered "
        + "with 503, so that load balancers take another. Who connects is served, or turned away with --refuse. Clients over UDP have no connection: "
        + "they are served on. health shows what is left, 'drained' in the end. undrain ends it; so does a restart of the node."
    ),
    ControlVerb("undrain", .supervisor, columns: ["state"], "serve as before a drain"),
    ControlVerb(
      "upgrade", .supervisor, columns: ["state"], "have the programs on the disk take over, the supervisor's included",
      details:
        "The new apus is run for a trial; then the workers are replaced as worker.restart --all does, by the new apus-worker; then the new apus "
        + "goes on in the supervisor's process. Clients notice nothing. If a worker can't be replaced the node goes on as it is. The same leads back to older "
        + "programs. The answer comes at once; worker.list and core.version show how far it is. USR2 does the same."),
  ]

  private static let location = [
    ControlVerb(
      "ul.dump", .everyWorker, columns: bindingColumns, "all contacts that are registered over this node",
      details:
        "Each worker tells of the contacts that came in over it. One that was registered over UDP with a worker that has since been "
        + "replaced appears again with its next refresh; ul.lookup finds it all the same."),
    ControlVerb(
      "ul.lookup", .anyWorker, [aor], columns: bindingColumns, "the contacts of an address of record",
      details: aorDetails),
    ControlVerb(
      "ul.add", .anyWorker,
      [
        aor, .init(name: "contact", form: .required, placeholder: "CONTACT"),
        .init(name: "expires", form: .option, placeholder: "S"), .init(name: "q", form: .option, placeholder: "Q"),
        .init(name: "path", form: .option, placeholder: "P"),
      ], columns: bindingColumns, "register a contact",
      details: aorDetails
        + " CONTACT is a SIP URI, which requests are sent to. --expires is in seconds, 3600 if not given; --q from 0 to 1; --path the "
        + "proxies on the way, as in a Path header field. A contact that stands there already is replaced."),
    ControlVerb(
      "ul.rm", .anyWorker, [aor, .init(name: "contact", form: .optional, placeholder: "CONTACT")],
      columns: bindingColumns, "remove a contact, or all of an address of record", details: aorDetails),
  ]

  private static let tls = [
    ControlVerb(
      "tls.list", .everyWorker,
      columns: [
        "id", "state", "age", "remote", "local", "profile", "server_name", "version", "cipher", "resumed", "user",
      ], "TLS connections",
      details:
        "age is in seconds. user is who registered first over the connection, else whom its certificate proves, @domain for all "
        + "users of a domain."),
    ControlVerb(
      "tls.info", .workerOfID, [.init(name: "id", form: .optional, placeholder: "ID")],
      columns: [
        "id", "state", "age", "remote", "local", "role", "profile", "server_name", "version", "cipher", "resumed",
        "user",
        "subject", "issuer", "proves", "fingerprint", "days_left",
      ], "one TLS connection in full, or the TLS profiles with their certificates",
      details:
        "ID is what tls.list shows: slot, generation and number. With --json `values` has what rules get by the names in it. "
        + "Without ID: the certificate that each profile shows, with SHA-256 and the whole days that it is good for."),
    ControlVerb(
      "tls.kill", .workerOfID, [.init(name: "id", form: .required, placeholder: "ID")],
      columns: ["id", "remote", "state"], "close a TLS connection",
      details:
        "ID is what tls.list shows. What waits to be sent is sent; what is registered over the connection ends with it."
    ),
  ]

  private static let others = [
    ControlVerb(
      "cluster.owner", .anyWorker, [aor],
      columns: ["contact", "node", "slot", "generation", "connection", "remote", "since"],
      "who holds the connections of an address of record", details: aorDetails),
    ControlVerb(
      "stats.get", .supervisor, [.init(name: "name", form: .optional, placeholder: "NAME|PREFIX*")],
      columns: ["name", "value", "unit", "summary"], "what the workers count, summed up",
      details: "Counters go on when a worker is replaced. Reading them disturbs no worker."),
    ControlVerb(
      "health", .supervisor, columns: ["state", "since", "reason", "queued", "warning"],
      "ready or degraded, and since when"),
    ControlVerb(
      "reload", .supervisor, columns: ["state"], "read the settings file again, as HUP does",
      details: "All workers take the new settings over, or none does. The answer tells what came of it."),
  ]
}
