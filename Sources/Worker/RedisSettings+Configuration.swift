import Configuration
import RedisLocation
import TLSEngine

extension RedisSettings {
  /// How this worker reaches the server of the registrations; nil when the node has its own and the supervisor named no socket of it.
  init?(_ configuration: NodeConfiguration, arguments: WorkerArguments) {
    let redis = configuration.redis
    switch redis.target {
    case .ownServer:
      if arguments.redis.isEmpty { return nil }
      self.init(target: .server(.unix(arguments.redis)))
    case .unix(let path): self.init(target: .server(.unix(path)))
    case .server(let server): self.init(target: .server(RedisServer(server)))
    case .sentinels(let sentinels, let master):
      self.init(target: .sentinels(sentinels.map(RedisServer.init), master: master))
    }
    if redis.usesTLS {
      var settings = TLSSettings()
      settings.profile = "redis"
      settings.authorities = redis.caListPEM
      settings.verification = redis.verifyCertificate ? .required : .off
      tls = settings
    }
    (user, password) = (redis.user.map { Array($0.utf8) }, redis.password.map { Array($0.utf8) })
    sentinelUser = redis.sentinelUser.map { Array($0.utf8) }
    sentinelPassword = redis.sentinelPassword.map { Array($0.utf8) }
    database = redis.database
    prefix = Array(redis.prefix.utf8)
    clientName = Array("apus-\(configuration.node)-\(arguments.slot)".utf8)
    commandTime = redis.timeout
    connectTime = redis.timeout
  }
}

extension RedisServer {
  /// An IPv6 address stands in brackets in a host, and without in a certificate.
  fileprivate init(_ server: NodeConfiguration.Redis.Server) {
    let literal = "\(server.address.address)"
    let isLiteral = server.host == literal || server.host == "[\(literal)]"
    self = .address(server.address, name: isLiteral ? nil : server.host)
  }
}
