import Structures

extension RedisCommandWriter {
  /// Appends what the location orders. `script` is the name by which the server knows the script; nil: it is sent itself.
  mutating func append(
    _ command: LocationOrders.Command, _ names: RedisNames, script: [UInt8]?, lease: [UInt8]
  ) {
    let (bindings, users, nonces, era, leaseName) = (names.bindings, names.users, names.nonces, names.era, names.lease)
    let salts = names.salts
    switch command {
    case .read(let aor):
      begin(2)
      argument("GET")
      argument(bindings.span, aor.span)
    case .write(let change): append(change, names, script)
    case .claim(let key, let seconds):
      begin(6)
      argument("SET")
      argument(nonces.span, key.span)
      argument("1")
      argument("NX")
      argument("EX")
      argument(decimal: Int64(seconds))
    case .user(let key):
      begin(2)
      argument("GET")
      argument(users.span, key.span)
    case .beginEra(let name):
      begin(4)
      argument("SET")
      argument(era.span)
      argument(word: name)
      argument("NX")
    case .readEra:
      begin(2)
      argument("GET")
      argument(era.span)
    case .beginSalt(let epoch, let salt, let seconds):
      let number = Array(String(epoch).utf8)
      begin(6)
      argument("SET")
      argument(salts.span, number.span)
      argument(salt.span)
      argument("NX")
      argument("EX")
      argument(decimal: Int64(seconds))
    case .readSalt(let epoch):
      let number = Array(String(epoch).utf8)
      begin(2)
      argument("GET")
      argument(salts.span, number.span)
    case .lease:
      begin(5)
      argument("SET")
      argument(leaseName.span)
      argument(lease.span)
      argument("EX")
      argument(decimal: 10)
    }
  }

  private mutating func append(_ change: CompareAndSet, _ names: RedisNames, _ script: [UInt8]?) {
    let (bindings, changes, aor, value) = (names.bindings, names.changes, change.aor, change.value)
    begin(9)
    if let script {
      argument("EVALSHA")
      argument(script.span)
    } else {
      argument("EVAL")
      argument(CompareAndSetScript.source)
    }
    argument("1")
    argument(bindings.span, aor.span)
    if change.expected == 0 { argument("") } else { argument(word: change.expected) }
    argument(value.span)
    argument(decimal: change.seconds)
    if change.isPublished {
      argument(changes.span)
      argument(word: change.version, aor.span)
    } else {
      argument("")
      argument("")
    }
  }

  /// Eight octets, with a text behind them.
  private mutating func argument(word: UInt64, _ text: Span<UInt8>? = nil) {
    withUnsafeBytes(of: word.bigEndian) { octets in
      octets.withMemoryRebound(to: UInt8.self) { word in
        if let text { argument(word.span, text) } else { argument(word.span) }
      }
    }
  }
}
