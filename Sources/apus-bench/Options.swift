import ArgumentParser
import LoadGenerator
import Structures

extension LoadTransport: ExpressibleByArgument {}
extension Arrival: ExpressibleByArgument {}
extension CallSettings.Ending: ExpressibleByArgument {}
extension TLSClientSettings.Versions: ExpressibleByArgument {}

/// A length of time as `500ms`, `10s`, `5m` or `1h`; a bare number is seconds.
struct TimeArgument: ExpressibleByArgument {
  let duration: Duration

  init(_ duration: Duration) { self.duration = duration }

  init?(argument: String) {
    guard let duration = TimeText.duration(argument) else { return nil }
    self.duration = duration
  }

  var defaultValueDescription: String { TimeText.text(duration) }
}

/// Who the users are and how they reach the server.
struct UserOptions: ParsableArguments {
  @Argument(help: "The server, ADDRESS:PORT; several with commas (nodes of a cluster).")
  var server: String

  @Option(help: "How users reach it: tls, tcp or udp.")
  var transport = LoadTransport.tls

  @Option(help: "The host part of the users' addresses.")
  var domain = "example.test"

  @Option(name: .shortAndLong, help: "How many users (with --user-file: at most as many as it has).")
  var users: Int?

  @Option(help: "Names of users: a text with one number at its end.")
  var userFormat = "u%07d"

  @Option(help: "Number of the first user.")
  var firstUser = 1

  @Option(help: "A CSV file of users: user,password in each line.")
  var userFile: String?

  @Option(help: "The password of all users; without one a challenge is a failure.")
  var password = ""

  @Option(help: "Source addresses: an address, FIRST-LAST, or a network such as 127.1.0.0/24. May be repeated.")
  var source: [String] = []

  @Flag(help: "Two connections for each user, with reg-id 1 and 2 (RFC 5626).")
  var twoFlows = false

  @Option(help: "How many users share one connection; not with --two-flows.")
  var usersPerConnection = 1

  @Flag(help: "Registers with reg-id and +sip.instance (RFC 5626).")
  var outbound = false

  @Option(help: "Expiry that users ask for, in seconds; renewed at three quarters of it.")
  var expires = 3_600

  @Option(help: "Time between CRLF keep-alives; 0: none.")
  var keepAlive = TimeArgument(.zero)

  @Option(help: "Wait before the first reconnection; it doubles with each failure.")
  var backOff = TimeArgument(.seconds(1))

  @Option(help: "How many connections are being set up at a time before the load.")
  var setupConcurrency = 64

  func apply(to plan: inout LoadPlan) throws {
    for text in server.split(separator: ",") {
      guard let address = SocketAddress(String(text)), address.port > 0 else {
        throw ValidationError("'\(text)' isn't an address and a port: write for instance 127.0.0.1:5061")
      }
      plan.targets.append(address)
    }
    plan.transport = transport
    plan.domain = domain
    plan.flows = twoFlows ? 2 : 1
    guard usersPerConnection == 1 || (2...1_000).contains(usersPerConnection) && !twoFlows else {
      throw ValidationError("--users-per-connection: 1 to 1000, and 1 with --two-flows")
    }
    plan.usersPerConnection = usersPerConnection
    plan.outbound = outbound || twoFlows
    plan.expires = expires
    plan.keepAlive = keepAlive.duration
    plan.backOff = backOff.duration
    plan.setupConcurrency = max(1, setupConcurrency)
    plan.sources = try source.flatMap { try SourceRange.addresses($0) }
    if let userFile {
      plan.users = try .listed(csv: TextFile.read(userFile), count: users)
    } else {
      plan.users = try .formatted(userFormat, count: users ?? 100, first: firstUser, password: password)
    }
    guard plan.users.count > 0 else { throw ValidationError("--users: at least one user is needed") }
  }
}

extension UserOptions {
  /// For scenarios that open connections: each user has one.
  func refuseSharing() throws {
    guard usersPerConnection == 1 else {
      throw ValidationError("--users-per-connection: this scenario opens a connection for each user")
    }
  }
}

/// How TLS is spoken.
struct TLSOptions: ParsableArguments {
  @Option(help: "TLS versions to offer: any, 1.2 or 1.3.")
  var tlsVersion = TLSClientSettings.Versions.any

  @Option(help: "Authorities (PEM) to verify the server with; without: not verified.")
  var caList: String?

  @Option(help: "The name that the server's certificate must have; sent as SNI.")
  var serverName: String?

  @Option(help: "A client certificate (PEM) for all users.")
  var certificate: String?

  @Option(help: "Its private key; without: in the same file.")
  var privateKey: String?

  @Option(help: "Cipher suites in OpenSSL's words.")
  var ciphers: String?

  @Flag(help: "Offer the session of the last connection (resumption).")
  var resume = false

  func apply(to plan: inout LoadPlan) {
    plan.tls.versions = tlsVersion
    plan.tls.authorities = caList
    plan.tls.serverName = serverName
    plan.tls.certificate = certificate
    plan.tls.privateKey = privateKey
    plan.tls.ciphers = ciphers
    plan.tls.resumes = resume
  }
}

/// How much load, for how long.
struct LoadOptions: ParsableArguments {
  @Option(name: .shortAndLong, help: "Closed loop: how many operations are under way at a time.")
  var concurrency: Int?

  @Option(name: .shortAndLong, help: "Open loop: how many operations start in a second.")
  var rate: Double?

  @Option(help: "Open loop: poisson or even.")
  var arrival = Arrival.poisson

  @Option(name: .shortAndLong, help: "Length of the measurement.")
  var duration: TimeArgument?

  @Option(help: "Number of operations after which the measurement ends.")
  var count: Int?

  @Option(help: "Load before the measurement that is left out of the result.")
  var warmUp = TimeArgument(.zero)

  var pacing: Pacing {
    get throws {
      if let rate {
        if concurrency != nil { throw ValidationError("give --concurrency or --rate, not both") }
        guard rate > 0 else { throw ValidationError("--rate must be more than 0") }
        return .open(RateProfile(rate), arrival)
      }
      guard (concurrency ?? 16) > 0 else { throw ValidationError("--concurrency must be at least 1") }
      return .closed(concurrency: concurrency ?? 16)
    }
  }

  func apply(to plan: inout LoadPlan) {
    plan.count = count ?? 0
    plan.duration = duration?.duration ?? (count == nil ? .seconds(10) : .seconds(86_400))
    plan.warmUp = warmUp.duration
  }
}

/// What is watched, written and required.
struct RunOptions: ParsableArguments {
  @Option(help: "How many processes carry the users.")
  var processes = 1

  @Option(help: "Time after which an operation counts as lost.")
  var timeout = TimeArgument(.seconds(32))

  @Option(help: "Root processes of the server on this host (with commas); their processor time and memory are taken.")
  var serverPid: String?

  @Option(help: "Seed of everything that goes by lot.")
  var seed: UInt64 = 1

  @Option(help: "Writes the result to this file, as JSON.")
  var json: String?

  @Option(help: "Exit code 1 when this holds, for instance 'p99>20ms', 'errors>0', 'cpu>120us'. May be repeated.")
  var failIf: [String] = []

  @Option(help: .private)
  var workerIndex: Int?

  func apply(to plan: inout LoadPlan) throws {
    guard (1...64).contains(processes) else { throw ValidationError("--processes: 1 to 64") }
    plan.processes = processes
    plan.timeout = timeout.duration
    plan.seed = seed
    for text in (serverPid ?? "").split(separator: ",") {
      guard let process = Int32(text), process > 0 else { throw ValidationError("'\(text)' isn't a process id") }
      plan.serverProcesses.append(process)
    }
  }
}

/// All options that scenarios share.
struct CommonOptions: ParsableArguments {
  @OptionGroup(title: "Users") var users: UserOptions
  @OptionGroup(title: "TLS") var tls: TLSOptions
  @OptionGroup(title: "Result") var run: RunOptions

  /// A plan with everything but streams and length.
  func plan(_ scenario: String) throws -> LoadPlan {
    var plan = LoadPlan()
    plan.scenario = scenario
    try users.apply(to: &plan)
    tls.apply(to: &plan)
    try run.apply(to: &plan)
    return plan
  }
}
