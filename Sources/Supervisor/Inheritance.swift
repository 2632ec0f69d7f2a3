internal import CLinux
internal import Configuration
internal import Glibc
internal import Reactor
internal import Structures

/// What a supervisor leaves to the program that goes on in its process: processes, sockets, files that it holds, as JSON in sealed memory whose
/// descriptor the environment names. The child processes stay children, since the process stays the same.
///
/// Version 1. What a later version adds may be left out; what this one requires it may not leave out.
struct Inheritance {
  static let version: Int64 = 1
  /// Names the descriptor of the memory.
  static let variable = "APUS_INHERITANCE"

  /// A worker, and the channel to it.
  struct Worker: Equatable {
    var slot: Int
    var generation: UInt16
    var process: Int32
    var channel: Int32
    /// Of the slot's worker the generation that was given out last; of one that was taken over from the milliseconds until it is killed.
    var rest: Int64
  }

  /// Another process, and up to two descriptors that go with it.
  struct Helper: Equatable {
    var process: Int32
    var descriptors: [Int32]
  }

  /// The path of the program; the open file of the one before, to go back to.
  var program: String
  var previous: Int32
  /// Whether a program has given it back: it isn't given any further.
  var isReturned = false
  var epoch: UInt64
  var startedAt: Int64
  /// Memory with the ``ConfigurationBundle`` in force.
  var configuration: Int32
  var lock: Int32
  var control: Int32
  var pages: Int32
  /// What processes counted that have ended, by the name of the counter.
  var ended: [(name: String, value: UInt64)]
  var links: [Int32]
  /// The listening sockets of each slot.
  var listeners: [[Int32]]
  var workers: [Worker]
  var retired: [Worker]
  var redis: Helper?
  var admin: Helper?

  /// All descriptors that go along.
  var descriptors: [Int32] {
    var all = [previous, configuration, lock, control, pages] + links
    all += listeners.joined()
    all += (workers + retired).map(\.channel)
    all += (redis?.descriptors ?? []) + (admin?.descriptors ?? [])
    return all
  }
}

// MARK: As JSON

extension Inheritance {
  var json: JSONValue {
    .object([
      .init("version", .integer(Self.version)), .init("program", .string(program)), .init("previous", .count(previous)),
      .init("returned", .bool(isReturned)),
      .init("epoch", .string(String(epoch, radix: 16))), .init("started", .integer(startedAt)),
      .init("configuration", .count(configuration)), .init("lock", .count(lock)), .init("control", .count(control)),
      .init("pages", .count(pages)),
      .init("ended", .object(ended.map { .init($0.name, .string(String($0.value))) })),
      .init("links", Self.list(links)), .init("listeners", .array(listeners.map(Self.list))),
      .init("workers", .array(workers.map(Self.json))), .init("retired", .array(retired.map(Self.json))),
      .init("redis", Self.json(redis)), .init("admin", Self.json(admin)),
    ])
  }

  private static func list(_ numbers: [Int32]) -> JSONValue { .array(numbers.map { .count($0) }) }

  private static func json(_ worker: Worker) -> JSONValue {
    .array([
      .count(worker.slot), .count(worker.generation), .count(worker.process), .count(worker.channel),
      .integer(worker.rest),
    ])
  }

  private static func json(_ helper: Helper?) -> JSONValue {
    helper.map { list([$0.process] + $0.descriptors) } ?? .null
  }

  /// Reads what ``json`` wrote; nil for another version, or what lacks something.
  init?(_ json: JSONValue) {
    func number(_ name: String) -> Int32? { json[name]?.integer.flatMap { Int32(exactly: $0) } }
    guard json["version"]?.integer == Self.version, let program = json["program"]?.text,
      let previous = number("previous"), let epoch = json["epoch"]?.text.flatMap({ UInt64($0, radix: 16) }),
      let startedAt = json["started"]?.integer, let configuration = number("configuration"),
      let lock = number("lock"), let control = number("control"), let pages = number("pages"),
      case .object(let ended)? = json["ended"], let links = json["links"].flatMap(Self.numbers),
      case .array(let listeners)? = json["listeners"], case .array(let workers)? = json["workers"],
      case .array(let retired)? = json["retired"]
    else { return nil }
    (self.program, self.previous, self.epoch, self.startedAt) = (program, previous, epoch, startedAt)
    (self.configuration, self.lock, self.control, self.pages) = (configuration, lock, control, pages)
    self.ended = ended.compactMap { member in
      member.value.text.flatMap { UInt64($0) }.map { (member.name, $0) }
    }
    isReturned = json["returned"] == .bool(true)
    self.links = links
    self.listeners = listeners.compactMap(Self.numbers)
    self.workers = workers.compactMap(Self.worker)
    self.retired = retired.compactMap(Self.worker)
    redis = json["redis"].flatMap(Self.helper)
    admin = json["admin"].flatMap(Self.helper)
    let slots = Array(self.workers.map(\.slot).sorted())
    guard !slots.isEmpty, slots == Array(0..<slots.count), self.links.count == slots.count,
      self.listeners.count == slots.count, self.retired.allSatisfy({ slots.contains($0.slot) })
    else { return nil }
  }

  private static func numbers(_ json: JSONValue) -> [Int32]? {
    guard case .array(let values) = json else { return nil }
    let numbers = values.compactMap { $0.integer.flatMap { Int32(exactly: $0) } }
    return numbers.count == values.count ? numbers : nil
  }

  private static func worker(_ json: JSONValue) -> Worker? {
    guard case .array(let values) = json, values.count >= 5, let slot = values[0].integer.flatMap({ Int(exactly: $0) }),
      let generation = values[1].integer.flatMap({ UInt16(exactly: $0) }),
      let process = values[2].integer.flatMap({ Int32(exactly: $0) }),
      let channel = values[3].integer.flatMap({ Int32(exactly: $0) }), let rest = values[4].integer
    else { return nil }
    return Worker(slot: slot, generation: generation, process: process, channel: channel, rest: rest)
  }

  private static func helper(_ json: JSONValue) -> Helper? {
    guard let all = numbers(json), let process = all.first else { return nil }
    return Helper(process: process, descriptors: Array(all.dropFirst()))
  }
}

// MARK: From program to program

extension Inheritance {
  /// What was left to this program, nil: nothing. It is out of the environment then, and no child inherits the descriptors.
  static func take() throws(SystemError) -> Inheritance? {
    guard let text = getenv(variable).map({ String(cString: $0) }), let number = Int32(text) else { return nil }
    unsetenv(variable)
    let memory = Descriptor(owning: number)
    guard let inheritance = readAll(memory.number).flatMap({ JSONValue(reading: $0) }).flatMap({ Inheritance($0) })
    else { throw SystemError("reading what the program before left", code: EPROTO) }
    for descriptor in inheritance.descriptors { clinux_set_close_on_exec(descriptor, true) }
    return inheritance
  }

  /// Has a program go on in this process: that of ``program``, or ``previous`` again. Comes back only with an error.
  func leave(to path: String?, environment: [(name: String, value: String)]) -> SystemError {
    var left = self
    left.isReturned = path == nil
    let octets = left.json.octets
    let memory = octets.withUnsafeBytes { clinux_sealed_memory("apus-inheritance", $0.baseAddress, $0.count) }
    if memory < 0 { return SystemError("memfd_create", code: -memory) }
    let holder = Descriptor(owning: memory)
    let variables = environment + [(Self.variable, "\(holder.number)")]
    for (name, value) in variables { setenv(name, value, 1) }
    var words: [UnsafeMutablePointer<CChar>?] = CommandLine.arguments.map { strdup($0) }
    words.append(nil)
    let kept = descriptors + [holder.number]
    let result = clinux_replace(path, previous, words, kept, Int32(kept.count))
    for word in words { free(word) }
    for (name, _) in variables { unsetenv(name) }
    return SystemError("exec of \(path ?? "the program before")", code: -result)
  }

  /// All that sealed memory holds.
  static func readAll(_ number: Int32) -> [UInt8]? {
    var octets: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = buffer.withUnsafeMutableBytes {
        clinux_read_at(number, $0.baseAddress, $0.count, Int64(octets.count))
      }
      if count < 0 { return nil }
      if count == 0 { return octets }
      octets += buffer[..<Int(count)]
    }
  }
}
