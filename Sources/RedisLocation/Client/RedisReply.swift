import Structures

/// One reply of a Redis server (RESP2).
public enum RedisReply: Equatable, Sendable {
  /// A line that says that something was done, `OK` for instance.
  case text([UInt8])
  /// A line that says what was wrong; it begins with a word in capitals (``errorCode``).
  case error([UInt8])
  case integer(Int64)
  /// A value; nil when there is none.
  case bulk([UInt8]?)
  /// Replies in order; nil when there is no list (a transaction that was given up).
  case array([RedisReply]?)

  /// Whether the reply is the text `OK`.
  public var isOK: Bool {
    if case .text(let octets) = self { octets.span.equals("OK") } else { false }
  }

  /// What an error says of its kind; nil for other replies.
  public var errorCode: RedisErrorCode? {
    if case .error(let octets) = self { RedisErrorCode(octets.span) } else { nil }
  }
}

/// The first word of an error of a Redis server, as far as it is told apart.
public enum RedisErrorCode: Equatable, Sendable {
  /// The server still reads its data set.
  case loading
  /// Writing to a replica.
  case readOnly
  /// A replica that lost its master and doesn't serve old data.
  case masterDown
  /// The server needs a password that wasn't given.
  case authenticationNeeded
  /// The user or the password is wrong.
  case wrongPassword
  /// The user may not do this.
  case notPermitted
  /// The key belongs to another node of a Redis Cluster.
  case moved
  /// A script runs that holds the server up.
  case busy
  /// The server has no memory left for writing.
  case outOfMemory
  /// The server can't save to its disk and so takes no writes, or has too few replicas.
  case writesRefused
  /// The script isn't known to the server by its hash.
  case noScript
  /// Any other word.
  case other

  init(_ line: Span<UInt8>) {
    var end = 0
    while end < line.count, line[end] != 0x20 { end += 1 }
    let word = line.extracting(0..<end)
    self =
      if word.equals("LOADING") {
        .loading
      } else if word.equals("READONLY") {
        .readOnly
      } else if word.equals("MASTERDOWN") {
        .masterDown
      } else if word.equals("NOAUTH") {
        .authenticationNeeded
      } else if word.equals("WRONGPASS") {
        .wrongPassword
      } else if word.equals("NOPERM") {
        .notPermitted
      } else if word.equals("MOVED") || word.equals("ASK") || word.equals("CLUSTERDOWN") {
        .moved
      } else if word.equals("BUSY") {
        .busy
      } else if word.equals("OOM") {
        .outOfMemory
      } else if word.equals("MISCONF") || word.equals("NOREPLICAS") {
        .writesRefused
      } else if word.equals("NOSCRIPT") {
        .noScript
      } else {
        .other
      }
  }
}
