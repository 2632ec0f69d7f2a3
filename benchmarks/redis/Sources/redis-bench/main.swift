import Glibc
import Reactor
import RedisLocation
import Structures

/// Keeps 64 commands without a reply on one connection until all are answered, and measures the time of this process alone.
final class Load: RedisClientDelegate {
  enum Kind: String, CaseIterable {
    case hset, get, publish
  }

  static let depth = 64
  let loop: EventLoop
  let client: RedisClient
  let kind: Kind
  let total: Int
  var sent = 0
  var done = 0
  var errors = 0
  private var writer = RedisCommandWriter()
  private let value = [UInt8](repeating: 0x78, count: 200)

  init(_ path: String, _ kind: Kind, _ total: Int) throws {
    loop = try EventLoop()
    client = try RedisClient(RedisSettings(target: .server(.unix(path))), loop: loop)
    self.kind = kind
    self.total = total
  }

  func run() throws {
    try client.start(delegate: self)
    while !client.isAvailable { try loop.runOnce(until: System.monotonicNow + .seconds(1)) }
    for _ in 0..<min(Self.depth, total) { send() }
    while done < total { try loop.runOnce(until: System.monotonicNow + .seconds(1)) }
    client.stop()
  }

  /// A hash of six fields with 260 octets in all, a value of 200 octets, or a message of 40.
  private func send() {
    sent += 1
    let (key, value) = (Array("apus:bench:key".utf8), value)
    writer.clear()
    switch kind {
    case .hset:
      writer.begin(14)
      writer.argument("HSET")
      writer.argument(key.span)
      for _ in 0..<6 {
        writer.argument("field")
        writer.argument(value.span.extracting(0..<38))
      }
    case .get:
      writer.begin(2)
      writer.argument("GET")
      writer.argument(key.span)
    case .publish:
      writer.begin(3)
      writer.argument("PUBLISH")
      writer.argument(key.span)
      writer.argument(value.span.extracting(0..<40))
    }
    let command = writer.octets
    if client.send(command.span, token: UInt64(sent)) != .accepted { errors += 1 }
  }

  func redis(_: RedisClient, reply: RedisReply, token: UInt64) {
    if case .error = reply { errors += 1 }
    done += 1
    if sent < total { send() }
  }

  func redis(_: RedisClient, failed _: UInt64) {
    errors += 1
    done += 1
  }

  func redis(_: RedisClient, changed _: Bool) {}
  func redis(_: RedisClient, subscriptionChanged _: Bool) {}
  func redis(_: RedisClient, published _: [UInt8], channel _: [UInt8]) {}
}

/// Microseconds of user and system time of this process.
func processorTime() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
  return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
}

func main() throws {
  let arguments = CommandLine.arguments
  guard arguments.count == 4, let kind = Load.Kind(rawValue: arguments[2]), let total = Int(arguments[3]), total > 0
  else {
    print("usage: redis-bench SOCKET hset|get|publish COUNT")
    exit(2)
  }
  let load = try Load(arguments[1], kind, total)
  let (before, began) = (processorTime(), System.monotonicNow)
  try load.run()
  let (used, took) = (processorTime() - before, System.monotonicNow - began)
  let rate = Int(Double(total) / (Double(took.nanoseconds) / 1e9))
  let micro = (used / Double(total) * 100).rounded() / 100
  print("\(kind.rawValue) \(micro) \(rate) \(load.errors)")
  if load.errors > 0 { exit(1) }
}

try main()
