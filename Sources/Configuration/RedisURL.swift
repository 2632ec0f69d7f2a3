internal import Structures

/// What `redis` says, before names become addresses:
///
///     redis://[user[:password]@]host[:port][/database]      rediss:// the same over TLS
///     unix:/path[?db=database]
///     sentinel://[user[:password]@]host[:port],…/master[/database]
struct RedisURL: Equatable {
  struct Host: Equatable {
    /// A name in small letters or an address; IPv6 in brackets.
    var name: String
    var port: UInt16
  }

  enum Place: Equatable {
    case unix(String)
    case server(Host, isTLS: Bool)
    case sentinels([Host], master: String)
  }

  var place: Place
  var user: String?
  var password: String?
  var database: Int?

  /// The greatest number of a database that is accepted; a server has 16 unless it is told otherwise.
  static let databases = 0...65_535

  init(_ text: String) throws(ValueProblem) {
    if text.hasPrefix("unix:") {
      try self.init(unix: text.dropFirst(5), of: text)
    } else if let rest = Self.rest(text, behind: "redis://") ?? Self.rest(text, behind: "rediss://") {
      try self.init(server: rest, isTLS: text.hasPrefix("rediss"), of: text)
    } else if let rest = Self.rest(text, behind: "sentinel://") {
      try self.init(sentinels: rest, of: text)
    } else {
      throw Self.problem(text, "has none of the forms known here")
    }
  }

  private init(unix rest: Substring, of text: String) throws(ValueProblem) {
    let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    // unix:///path is the same path.
    let path = parts[0].hasPrefix("///") ? parts[0].dropFirst(2) : parts[0]
    guard !path.isEmpty, !path.hasSuffix("/") else { throw Self.problem(text, "names no socket") }
    place = .unix(String(path))
    guard parts.count == 2 else { return }
    guard parts[1].hasPrefix("db=") else { throw Self.problem(text, "may have ?db= and nothing else behind the path") }
    database = try Self.readDatabase(parts[1].dropFirst(3), of: text)
  }

  private init(server rest: Substring, isTLS: Bool, of text: String) throws(ValueProblem) {
    var rest = rest
    let credentials = try Self.takeCredentials(&rest, of: text)
    let parts = rest.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2 else { throw Self.problem(text, "has too many parts behind the host") }
    place = .server(try Self.readHost(parts[0], port: 6379, of: text), isTLS: isTLS)
    (user, password) = credentials
    if parts.count == 2, !parts[1].isEmpty { database = try Self.readDatabase(parts[1], of: text) }
  }

  private init(sentinels rest: Substring, of text: String) throws(ValueProblem) {
    var rest = rest
    let credentials = try Self.takeCredentials(&rest, of: text)
    let parts = rest.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2 || parts.count == 3, (try? TextRule.name.read(String(parts[1]))) != nil else {
      throw Self.problem(text, "lacks the name of the master behind the sentinels")
    }
    var hosts: [Host] = []
    for host in parts[0].split(separator: ",", omittingEmptySubsequences: false) {
      hosts.append(try Self.readHost(host, port: 26379, of: text))
    }
    place = .sentinels(hosts, master: String(parts[1]))
    (user, password) = credentials
    if parts.count == 3, !parts[2].isEmpty { database = try Self.readDatabase(parts[2], of: text) }
  }

  // MARK: Parts

  private static func rest(_ text: String, behind scheme: String) -> Substring? {
    text.hasPrefix(scheme) ? text.dropFirst(scheme.count) : nil
  }

  /// Takes `user:password@` off, both with `%` escapes; an empty user is the default one.
  private static func takeCredentials(
    _ rest: inout Substring, of text: String
  ) throws(ValueProblem) -> (user: String?, password: String?) {
    guard let end = rest.lastIndex(of: "@") else { return (nil, nil) }
    let parts = rest[..<end].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    rest = rest[rest.index(after: end)...]
    guard let user = unescape(parts[0]), let password = parts.count == 2 ? unescape(parts[1]) : "" else {
      throw problem(text, "has a bad % escape before the @")
    }
    return (user.isEmpty ? nil : user, password.isEmpty ? nil : password)
  }

  private static func unescape(_ text: Substring) -> String? {
    var octets: [UInt8] = []
    var rest = text.utf8[...]
    while let octet = rest.popFirst() {
      guard octet == 0x25 else {
        octets.append(octet)
        continue
      }
      guard let high = rest.popFirst()?.hexadecimalDigit, let low = rest.popFirst()?.hexadecimalDigit else {
        return nil
      }
      octets.append(high << 4 | low)
    }
    return String(validating: octets, as: UTF8.self)
  }

  private static func readHost(_ text: Substring, port: UInt16, of whole: String) throws(ValueProblem) -> Host {
    guard let (host, given) = TextRule.readHostAndPort(String(text)) else {
      throw problem(whole, "has '\(text)' where a host stands")
    }
    return Host(name: host, port: given ?? port)
  }

  private static func readDatabase(_ text: Substring, of whole: String) throws(ValueProblem) -> Int {
    guard !text.isEmpty, text.utf8.allSatisfy({ $0.decimalDigit != nil }), let number = Int(text),
      databases.contains(number)
    else { throw problem(whole, "has '\(text)' where the number of a database stands") }
    return number
  }

  /// What is wrong, without the credentials.
  private static func problem(_ text: String, _ what: String) -> ValueProblem {
    var shown = Substring(text)
    if let end = text.lastIndex(of: "@"), let scheme = text.firstRange(of: "://") {
      shown = text[..<scheme.upperBound] + "…" + text[end...]
    }
    return ValueProblem(
      problem: "'\(shown)' \(what)",
      remedy: "write redis://host:port/database, rediss:// for TLS, unix:/path?db=database or "
        + "sentinel://host:port,host:port/master/database")
  }
}
