import ArgumentParser
import Configuration
import Foundation

/// `apus user`: the users file.
struct UserCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "user", abstract: "Add, change, list and remove users of a users file.",
    discussion: """
      Passwords are asked for at the terminal, or read as one line from standard input. The file keeps only their \
      hashes and is replaced in one step. A node takes over a changed file when it is started again.
      """,
    subcommands: [Add.self, Password.self, List.self, Remove.self, Export.self])
}

/// Which user of which file is meant.
struct UserOptions: ParsableArguments {
  @Option(name: .long, help: "The users file.")
  var file: String

  @Option(name: .long, help: "The domain of the user.")
  var domain: String

  @Argument(help: "The name of the user, without the domain.")
  var name: String

  func validate() throws {
    guard TextRule.readHost(domain) != nil else { throw ValidationError("'\(domain)' is not a domain") }
    if let problem = UserFile.problem(withName: name) { throw ValidationError("'\(name)': \(problem)") }
  }
}

/// For what hashes are made.
struct HashOptions: ParsableArguments {
  @Option(name: .long, help: "The realm of the hashes; the domain unless given.")
  var realm: String?

  @Option(name: .long, help: "An algorithm to make a hash for, MD5, SHA-256 or SHA-512-256; may be repeated.")
  var algorithm: [String] = []

  /// The algorithms given; empty when none was.
  func algorithms() throws -> [DigestAlgorithm] {
    try algorithm.map { token in
      guard let known = DigestAlgorithm(token: token) else {
        throw ValidationError("'\(token)' is not an algorithm; give MD5, SHA-256 or SHA-512-256")
      }
      return known
    }
  }

  func validate() throws {
    _ = try algorithms()
    if let realm, realm.isEmpty || realm.contains(where: { $0 == "\"" || $0 == "\\" || $0.isNewline }) {
      throw ValidationError("a realm is a text without quotes and backslashes")
    }
  }
}

extension UserCommand {
  /// `apus user add`
  struct Add: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Add a user; a missing file is made.")
    @OptionGroup var user: UserOptions
    @OptionGroup var hashes: HashOptions

    func run() throws {
      var store = try UserStore(path: user.file, mayBeMissing: true)
      guard store.index(user.domain, user.name) == nil else {
        throw Failure("\(user.name)@\(user.domain) is in \(user.file) already; apus user passwd changes the password")
      }
      let given = try hashes.algorithms()
      let password = try Password.ask()
      try store.set(
        user.domain, user.name, password, realm: hashes.realm,
        algorithms: given.isEmpty ? DigestAlgorithm.allCases : given)
      try store.save()
      Terminal.say("added \(user.name)@\(user.domain)")
    }
  }

  /// `apus user passwd`
  struct Password: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "passwd", abstract: "Change the password of a user.",
      discussion: "Without --realm and --algorithm, the user keeps the realm and the algorithms of the old hashes.")
    @OptionGroup var user: UserOptions
    @OptionGroup var hashes: HashOptions

    func run() throws {
      var store = try UserStore(path: user.file)
      guard let index = store.index(user.domain, user.name) else { throw store.missing(user.domain, user.name) }
      let given = try hashes.algorithms()
      let kept = DigestAlgorithm.allCases.filter { store.users[index].hashes[$0] != nil }
      let password = try Self.ask()
      try store.set(
        user.domain, user.name, password, realm: hashes.realm ?? store.users[index].realm,
        algorithms: given.isEmpty ? kept : given)
      try store.save()
      Terminal.say("changed \(user.name)@\(user.domain)")
    }

    /// A password from the terminal, asked twice, or the first line of standard input.
    static func ask() throws -> String {
      guard Terminal.isInteractive else {
        guard let line = readLine(strippingNewline: true), !line.isEmpty else {
          throw Failure("no password on standard input")
        }
        return line
      }
      guard let first = Terminal.askSecretly("Password: "), !first.isEmpty else { throw Failure("no password given") }
      guard Terminal.askSecretly("Again: ") == first else { throw Failure("the two passwords differ") }
      return first
    }
  }

  /// `apus user rm`
  struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "rm", abstract: "Remove a user.")
    @OptionGroup var user: UserOptions

    func run() throws {
      var store = try UserStore(path: user.file)
      guard let index = store.index(user.domain, user.name) else { throw store.missing(user.domain, user.name) }
      store.users.remove(at: index)
      try store.save()
      Terminal.say("removed \(user.name)@\(user.domain)")
    }
  }

  /// `apus user export`
  struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print the users of a users file as commands for redis-cli.",
      discussion: """
        For nodes with authentication.users: redis. apus user export --file users.yaml --prefix PREFIX | redis-cli writes \
        all users; a user is removed with redis-cli DEL PREFIXu:NAME@DOMAIN. The domain has to be the name that the node has, \
        not an alias.
        """)

    @Option(name: .long, help: "The users file.")
    var file: String

    @Option(name: .long, help: "What the names of the cluster's keys begin with in Redis.")
    var prefix: String

    func run() throws {
      for user in try UserStore(path: file).users {
        let hashes = DigestAlgorithm.allCases.compactMap { algorithm in
          user.hashes[algorithm].map { " \(algorithm.token)=" + $0.map(Self.hexadecimal).joined() }
        }
        print("SET \(Self.quoted("\(prefix)u:\(user.name)@\(user.domain)")) \(Self.quoted("1" + hashes.joined()))")
      }
    }

    private static func hexadecimal(_ octet: UInt8) -> String {
      let digits = String(octet, radix: 16)
      return octet < 16 ? "0" + digits : digits
    }

    /// A word as redis-cli reads it.
    private static func quoted(_ word: String) -> String {
      "\"" + word.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"") + "\""
    }
  }

  /// `apus user list`
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the users, without their hashes.")

    @Option(name: .long, help: "The users file.")
    var file: String

    @Option(name: .long, help: "Only the users of this domain.")
    var domain: String?

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    private struct Row: Encodable {
      var user: String
      var domain: String
      var realm: String
      var algorithms: [String]
    }

    func run() throws {
      let wanted = domain?.lowercased()
      let rows = try UserStore(path: file).users.filter { wanted == nil || $0.domain == wanted }.map { user in
        Row(
          user: user.name, domain: user.domain, realm: user.realm ?? user.domain,
          algorithms: DigestAlgorithm.allCases.filter { user.hashes[$0] != nil }.map { "\($0.token)" })
      }
      if json { return try Terminal.say(json: rows) }
      for row in rows {
        let realm = row.realm == row.domain ? "" : "  realm \(row.realm)"
        Terminal.say("\(row.user)@\(row.domain)  \(row.algorithms.joined(separator: ", "))\(realm)")
      }
    }
  }
}
