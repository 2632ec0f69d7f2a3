/// Why a connection to a Redis server can't be used, or was given up.
public enum RedisTrouble: Equatable, Sendable {
  /// It isn't connected yet, for the first time.
  case none
  /// The system failed to connect or to carry octets: what the kernel says, such as `connect: Connection refused (111)`.
  case system(String)
  /// TLS failed, or the certificate isn't the server's.
  case tls(String)
  /// The server closed the connection.
  case closed
  /// A command, a connection or a greeting took longer than it may.
  case timeLimit
  /// What came is no reply, or one that nobody asked for, or one that is too large.
  case malformed
  /// The server doesn't let us in or refuses what every connection begins with: its words. Settings or access lists must be changed.
  case refused(String)
  /// The server still reads its data set.
  case loading
  /// The server takes no writes: it is a replica now.
  case readOnly
  /// The server is a replica without its master.
  case masterDown
  /// Sentinel named a server that says that it is no master (yet).
  case notMaster
  /// No sentinel names a master.
  case noMaster
  /// Sentinel says that another server is master now.
  case masterMoved
  /// The server belongs to a Redis Cluster, which is not supported.
  case cluster
  /// We ended it.
  case stopped
}

extension RedisTrouble: CustomStringConvertible {
  /// The reason, for the log and for health.
  public var description: String {
    switch self {
    case .none: "not connected yet"
    case .system(let text): text
    case .tls(let text): "TLS: \(text)"
    case .closed: "closed by the server"
    case .timeLimit: "no answer in time"
    case .malformed: "what the server sent can't be understood"
    case .refused(let text): "refused by the server: \(text)"
    case .loading: "the server is loading its data"
    case .readOnly: "the server has become a replica"
    case .masterDown: "the server is a replica without its master"
    case .notMaster: "the server that Sentinel named is no master"
    case .noMaster: "no sentinel names the master"
    case .masterMoved: "another server has become master"
    case .cluster: "the server belongs to a Redis Cluster, which is not supported"
    case .stopped: "stopped"
    }
  }

  /// What an error means for the connection; nil when it concerns the one command only.
  init?(_ code: RedisErrorCode?, _ reply: RedisReply) {
    switch code {
    case .loading: self = .loading
    case .readOnly: self = .readOnly
    case .masterDown: self = .masterDown
    case .moved: self = .cluster
    case .authenticationNeeded, .wrongPassword: self = .refused(reply.errorText)
    case .notPermitted, .busy, .outOfMemory, .writesRefused, .noScript, .other, nil: return nil
    }
  }
}

extension RedisReply {
  /// The line of an error, at most 200 octets; empty for other replies.
  var errorText: String {
    if case .error(let line) = self { String(decoding: line.prefix(200), as: UTF8.self) } else { "" }
  }
}
