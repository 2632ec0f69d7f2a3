import Structures

/// The script that changes what is stored of one address of record, the only one: it touches that one key.
///
/// `KEYS[1]` is the key. `ARGV`: the expected version (8 octets; empty: nothing may be there), the new value (empty removes the key), its lifetime in seconds, the channel
/// of changes (empty: nobody is told), what is told there. It returns 1 when it was done, else what is there; nil when nothing is. A value too short for a version counts as nothing.
enum CompareAndSetScript {
  static let source: StaticString = """
    local present = redis.call('GET', KEYS[1])
    local version = ''
    if present and #present >= 8 then version = string.sub(present, 1, 8) end
    if version ~= ARGV[1] then return present end
    if ARGV[2] == '' then
      if present then redis.call('DEL', KEYS[1]) end
    else
      redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
    end
    if ARGV[4] ~= '' then redis.call('PUBLISH', ARGV[4], ARGV[5]) end
    return 1
    """
}

/// The names of everything that the location has in Redis, behind the prefix of the cluster. `Sources/README.md` has the same list with the formats.
struct RedisNames {
  let prefix: [UInt8]
  /// `b:`, the address of record.
  let bindings: [UInt8]
  /// `u:`, the user.
  let users: [UInt8]
  /// `n:`, the nonce.
  let nonces: [UInt8]
  /// The era of the data set.
  let era: [UInt8]
  /// `t:`, the epoch of ticket keys in decimal.
  let salts: [UInt8]
  /// The lease of a worker.
  let lease: [UInt8]
  /// The channel of changes.
  let changes: [UInt8]

  /// Names behind a prefix, those of a worker of a node.
  init(prefix: [UInt8], node: UInt32, slot: UInt16) {
    func name(_ text: String) -> [UInt8] { prefix + Array(text.utf8) }
    self.prefix = prefix
    bindings = name("b:")
    users = name("u:")
    nonces = name("n:")
    era = name("era")
    salts = name("t:")
    lease = name("node:\(String(node, radix: 16)):\(slot)")
    changes = name("changes")
  }
}
