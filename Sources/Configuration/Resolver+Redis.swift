internal import Structures

/// The server of the registrations. Names of hosts are looked up here, once, so that no worker ever waits for a name.
extension Resolver {
  private static let hostsFile = "/etc/hosts"

  mutating func resolveRedis() -> NodeConfiguration.Redis {
    _ = reader.value(["redis"])
    let path = ["redis", "url"]
    let url = reader.text(path).flatMap { try? RedisURL($0) }
    let user = resolveOnce(url?.user, ["redis", "user"], reader.text(["redis", "user"]))
    let password = resolveOnce(url?.password, ["redis", "password"], resolvePassword("password"))
    let database = resolveDatabase(url)
    let target = resolveTarget(url, path)
    var usesTLS = reader.boolean(["redis", "tls"])
    if case .server(_, true) = url?.place { usesTLS = true }
    let redis = NodeConfiguration.Redis(
      target: target, usesTLS: usesTLS, caListPEM: readCertificates(["redis", "ca_list"]),
      verifyCertificate: reader.boolean(["redis", "verify_certificate"]), user: user, password: password,
      sentinelUser: reader.text(["redis", "sentinel_user"]), sentinelPassword: resolvePassword("sentinel_password"),
      database: database, prefix: reader.text(["redis", "prefix"]) ?? "",
      timeout: reader.duration(["redis", "timeout"]))
    checkRedis(redis)
    return redis
  }

  private mutating func resolveTarget(_ url: RedisURL?, _ path: [String]) -> NodeConfiguration.Redis.Target {
    switch url?.place {
    case nil: return .ownServer
    case .unix(let name):
      let socket = SettingsSources.resolve(name, from: reader.file)
      // The kernel takes no more.
      if socket.utf8.count > 107 {
        reader.fail(path, reader.position(path), "the path of the socket has more than 107 bytes", "use a shorter one")
      }
      return .unix(socket)
    case .server(let host, _): return locate(host, path).map { .server($0) } ?? .ownServer
    case .sentinels(let hosts, let master):
      return .sentinels(hosts.compactMap { locate($0, path) }, master: master)
    }
  }

  /// The address of a host; nil when it has none, which is kept as an error.
  private mutating func locate(_ host: RedisURL.Host, _ path: [String]) -> NodeConfiguration.Redis.Server? {
    let name = host.name.hasPrefix("[") ? String(host.name.dropFirst().dropLast()) : host.name
    let address = IPAddress(name) ?? (name == "localhost" ? IPAddress(v4: 0x7F00_0001) : lookUp(name))
    guard let address else {
      reader.fail(
        path, reader.position(path), "\(name) stands not in \(Self.hostsFile)",
        "give its address, or add it there: this version asks no name server for it")
      return nil
    }
    return NodeConfiguration.Redis.Server(host: host.name, address: SocketAddress(address, port: host.port))
  }

  /// The first address that the host's own file has for a name.
  private func lookUp(_ name: String) -> IPAddress? {
    guard case .success(let octets) = sources.read(Self.hostsFile) else { return nil }
    for line in octets.split(separator: 0x0A) {
      let words = line.prefix { $0 != 0x23 }.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
      let names = words.dropFirst().map { String(decoding: $0, as: UTF8.self).lowercased() }
      if names.contains(name), let address = IPAddress(String(decoding: words[0], as: UTF8.self)) { return address }
    }
    return nil
  }

  private mutating func resolveDatabase(_ url: RedisURL?) -> Int {
    let path = ["redis", "database"]
    let number: Int? = if case .number(let number) = reader.value(path) { number } else { nil }
    if let given = url?.database, let number, given != number {
      reader.fail(path, reader.position(path), "the url says \(given)", "keep one of them")
    }
    return number ?? url?.database ?? 0
  }

  /// A password that stands in the file, or in a file of its own that `NAME_file` names.
  private mutating func resolvePassword(_ name: String) -> String? {
    let (path, filePath) = (["redis", name], ["redis", "\(name)_file"])
    let written = reader.text(path)
    guard let (octets, position) = readFile(filePath) else { return written }
    if written != nil { reader.fail(filePath, position, "\(name) stands beside it", "keep one of them") }
    let line = octets.prefix { $0 != 0x0A && $0 != 0x0D }
    guard !line.isEmpty, let text = String(validating: line, as: UTF8.self) else {
      reader.fail(
        filePath, position, "the first line of the file is no password", "write the password there, and nothing else")
      return nil
    }
    return text
  }

  /// What may be said in the url or in a setting of its own, but not in both.
  private mutating func resolveOnce(_ inURL: String?, _ path: [String], _ value: String?) -> String? {
    if inURL != nil, value != nil {
      reader.fail(path, reader.position(path), "the url has one already", "keep one of them")
    }
    return inURL ?? value
  }

  private mutating func checkRedis(_ redis: NodeConfiguration.Redis) {
    let url = ["redis", "url"]
    if redis.user != nil, redis.password == nil {
      failFirstGiven(
        [["redis", "user"], url], "there is a user but no password", "give redis.password, or drop the user")
    }
    if redis.sentinelUser != nil, redis.sentinelPassword == nil {
      let path = ["redis", "sentinel_user"]
      reader.fail(path, reader.position(path), "it has no password", "give redis.sentinel_password, or drop the user")
    }
    switch redis.target {
    case .ownServer, .unix:
      if redis.usesTLS {
        let path = ["redis", "tls"]
        reader.fail(path, reader.position(path), "a Unix socket has no TLS", "drop it, or name a server by its address")
      }
    case .server, .sentinels: break
    }
  }
}
