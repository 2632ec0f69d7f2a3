import Glibc
import Reactor
import Structures
import Testing

@testable import Transport

@Suite("Flows that die silently, and flows that must give signs of life")
struct LivenessTests {
  // MARK: The watch

  private static func instant(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

  @Test("a write is watched until an acknowledgement that came after it")
  func watched() {
    var watch = AcknowledgementWatch()
    #expect(watch.oldest == nil)
    let isFirst = watch.note(Self.instant(1_000), limit: .seconds(3))
    let isSecond = watch.note(Self.instant(1_001), limit: .seconds(3))
    #expect(isFirst && !isSecond)
    watch.acknowledge(until: Self.instant(900))
    #expect(watch.oldest == Self.instant(1_000))
    // What was written after the acknowledgement stays.
    watch.acknowledge(until: Self.instant(1_000))
    #expect(watch.oldest == Self.instant(1_000))
    watch.acknowledge(until: Self.instant(1_001))
    #expect(watch.oldest == nil)
  }

  @Test("whatever was written and acknowledged, the oldest unacknowledged write is known up to a third of the limit")
  func oldest() {
    var state: UInt64 = 7
    func random(_ bound: UInt64) -> Int64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int64(state >> 33 % bound)
    }
    for _ in 0..<300 {
      var watch = AcknowledgementWatch()
      var writes: [Int64] = []
      var now: Int64 = 10_000
      for _ in 0..<200 {
        now += random(300)
        // The check comes when the oldest is as old as the limit: never later.
        if let oldest = watch.oldest, Self.instant(now) - oldest >= .seconds(3) {
          watch.acknowledge(until: Self.instant(now))
          writes = []
        }
        if random(3) > 0 {
          _ = watch.note(Self.instant(now), limit: .seconds(3))
          writes.append(now)
        } else {
          let time = now - random(1_500)
          watch.acknowledge(until: Self.instant(time))
          writes.removeAll { $0 <= time }
        }
        guard let first = writes.first else { continue }
        guard let oldest = watch.oldest else {
          Issue.record("the write at \(first) is not watched at \(now)")
          continue
        }
        #expect(oldest <= Self.instant(first))
        #expect(Self.instant(first) - oldest <= .seconds(1))
      }
    }
  }

  // MARK: Connections

  @Test("a peer that doesn't read but acknowledges is not under suspicion", arguments: [TransportProtocol.tcp, .tls])
  func slowReader(_ transport: TransportProtocol) throws {
    let bench = try Bench {
      $0.acknowledgementTime = .milliseconds(300)
      $0.sendTime = .seconds(30)
    }
    let address = try bench.listen(transport)
    let client = try transport == .tls ? bench.connectTLS(to: address) : bench.connect(to: address)
    bench.turn { !bench.recorder.opened.isEmpty }
    let flow = try #require(bench.recorder.opened.first).flow
    let text = String(repeating: "w", count: 60_000)
    while bench.send(text, over: flow.id) == .accepted { bench.turn(for: .milliseconds(1)) }
    bench.turn(for: .milliseconds(1_500))
    #expect(bench.recorder.suspects.isEmpty)
    #expect(bench.recorder.closed.isEmpty)
    client.close()
  }

  @Test("traffic that is acknowledged brings no suspicion")
  func healthy() throws {
    let bench = try Bench { $0.acknowledgementTime = .milliseconds(60) }
    let client = try bench.connectTLS(to: try bench.listen(.tls))
    let flow = try #require(bench.recorder.opened.first).flow
    for index in 0..<40 {
      #expect(bench.send("part \(index);", over: flow.id) == .accepted)
      bench.turn(for: .milliseconds(10))
      client.receive()
    }
    bench.turn(for: .milliseconds(150))
    #expect(bench.recorder.suspects.isEmpty)
  }

  @Test(
    "a peer that acknowledges nothing is under suspicion, again for what is sent then, until it is there again",
    .enabled(if: PrivateNetwork.isPermitted, "needs the right to make a network namespace"))
  func silentDeath() throws {
    let network = try #require(PrivateNetwork())
    defer { network.leave() }
    let bench = try Bench { $0.acknowledgementTime = .milliseconds(600) }
    let client = try bench.connectTLS(to: try bench.listen(.tls))
    let flow = try #require(bench.recorder.opened.first).flow
    #expect(bench.send("before;", over: flow.id) == .accepted)
    bench.turn { client.receive() }
    bench.turn(for: .milliseconds(800))
    #expect(bench.recorder.suspects.isEmpty)

    network.setLoopback(up: false)
    let start = System.monotonicNow
    #expect(bench.send("into the void;", over: flow.id) == .accepted)
    bench.turn { !bench.recorder.suspects.isEmpty }
    #expect(bench.recorder.suspects == [flow.id])
    let elapsed = System.monotonicNow - start
    #expect(elapsed >= .milliseconds(590) && elapsed < .milliseconds(1_500), "\(elapsed)")
    // Silence alone is not told twice; more that is sent in vain is.
    bench.turn(for: .milliseconds(1_300))
    #expect(bench.recorder.suspects.count == 1)
    #expect(bench.send("more;", over: flow.id) == .accepted)
    bench.turn { bench.recorder.suspects.count == 2 }
    #expect(bench.recorder.suspects.count == 2)
    #expect(bench.layer.counters.suspects == 1)
    #expect(bench.recorder.closed.isEmpty && bench.recorder.recovered.isEmpty)

    network.setLoopback(up: true)
    bench.turn {
      client.receive()
      return !bench.recorder.recovered.isEmpty
    }
    #expect(bench.recorder.recovered == [flow.id])
    bench.turn {
      client.receive()
      return client.text == "before;into the void;more;"
    }
    #expect(client.text == "before;into the void;more;")
    bench.turn(for: .milliseconds(800))
    #expect(bench.recorder.suspects.count == 2)
  }

  @Test(
    "what goes to an address takes a new connection while the one that is there is in doubt",
    .enabled(if: PrivateNetwork.isPermitted, "needs the right to make a network namespace"))
  func anotherConnection() throws {
    let network = try #require(PrivateNetwork())
    defer { network.leave() }
    let (server, client) = (try Bench(), try Bench { $0.acknowledgementTime = .milliseconds(600) })
    let address = try server.listen(.tcp)
    #expect(client.send(message("a"), to: address, .tcp) == .accepted)
    client.turn {
      try? server.loop.runOnce(until: System.monotonicNow)
      return server.recorder.messages.count == 1
    }
    network.setLoopback(up: false)
    #expect(client.send(message("b"), to: address, .tcp) == .accepted)
    client.turn { !client.recorder.suspects.isEmpty }
    network.setLoopback(up: true)
    #expect(client.layer.counters.initiated == 1)
    #expect(client.send(message("c"), to: address, .tcp) == .accepted)
    #expect(client.layer.counters.initiated == 2)
    client.turn {
      try? server.loop.runOnce(until: System.monotonicNow)
      return server.recorder.messages.count == 3
    }
    #expect(Set(server.recorder.texts) == [message("a"), message("b"), message("c")])
  }

  @Test(
    "a suspect peer that says something is above suspicion at once",
    .enabled(if: PrivateNetwork.isPermitted, "needs the right to make a network namespace"))
  func saysSomething() throws {
    let network = try #require(PrivateNetwork())
    defer { network.leave() }
    let bench = try Bench { $0.acknowledgementTime = .milliseconds(600) }
    let client = try bench.connect(to: try bench.listen(.tcp))
    bench.turn { !bench.recorder.opened.isEmpty }
    let flow = try #require(bench.recorder.opened.first).flow
    network.setLoopback(up: false)
    #expect(bench.send("into the void;", over: flow.id) == .accepted)
    bench.turn { !bench.recorder.suspects.isEmpty }
    network.setLoopback(up: true)
    client.send(message("a"))
    bench.turn { !bench.recorder.messages.isEmpty }
    #expect(bench.recorder.texts == [message("a")])
    #expect(bench.recorder.recovered == [flow.id])
  }

  @Test(
    "who is watched is closed when it is silent for too long, and not before", arguments: [TransportProtocol.tcp, .tls])
  func flowTimer(_ transport: TransportProtocol) throws {
    let bench = try Bench()
    let address = try bench.listen(transport)
    let client = try transport == .tls ? bench.connectTLS(to: address) : bench.connect(to: address)
    bench.turn { !bench.recorder.opened.isEmpty }
    let flow = try #require(bench.recorder.opened.first).flow
    bench.layer.expectLife(of: try #require(stream(flow)), within: .milliseconds(200))
    // Any octet is a sign of life.
    for index in 0..<8 {
      bench.turn(for: .milliseconds(60))
      client.send(index % 2 == 0 ? "\r\n\r\n" : message("\(index)"))
    }
    #expect(bench.recorder.closed.isEmpty)
    // What we send is none.
    bench.turn(for: .milliseconds(100))
    #expect(bench.send("to no avail", over: flow.id) == .accepted)
    bench.turn(for: .milliseconds(150))
    #expect(bench.recorder.reasons == [.deadline(.silence)])
    #expect(bench.layer.counters.deadlines[Int(TransportDeadline.silence.rawValue)] == 1)
  }

  @Test("who need not give signs of life any more is left alone")
  func endOfFlowTimer() throws {
    let bench = try Bench()
    let client = try bench.connect(to: try bench.listen(.tcp))
    bench.turn { !bench.recorder.opened.isEmpty }
    let flow = try #require(bench.recorder.opened.first).flow
    let name = try #require(stream(flow))
    bench.layer.expectLife(of: name, within: .milliseconds(100))
    bench.layer.expectLife(of: name, within: .zero)
    bench.turn(for: .milliseconds(300))
    #expect(bench.recorder.closed.isEmpty)
    client.close()
  }

  private func stream(_ flow: Flow) -> StreamFlow? {
    if case .stream(let name) = flow.id { return name }
    return nil
  }
}

/// A network of this thread's own, of which only the loopback interface exists.
struct PrivateNetwork {
  static let isPermitted: Bool = {
    guard let network = PrivateNetwork() else { return false }
    network.leave()
    return true
  }()

  private let origin: Int32

  init?() {
    origin = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
    guard origin >= 0, Self.call("unshare", 0x4000_0000) == 0 else { return nil }
    setLoopback(up: true)
  }

  func setLoopback(up: Bool) {
    let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    defer { close(descriptor) }
    // struct ifreq: sixteen octets of name, then the flags IFF_UP and IFF_RUNNING.
    var request = [UInt8](repeating: 0, count: 40)
    (request[0], request[1]) = (UInt8(ascii: "l"), UInt8(ascii: "o"))
    if up { request[16] = 0x41 }
    typealias Control = @convention(c) (Int32, UInt, UnsafeMutableRawPointer?) -> Int32
    guard let symbol = dlsym(nil, "ioctl") else { return }
    let control = unsafeBitCast(symbol, to: Control.self)
    let result = request.withUnsafeMutableBytes { control(descriptor, 0x8914, $0.baseAddress) }
    #expect(result == 0)
  }

  func leave() {
    #expect(Self.call("setns", origin, 0x4000_0000) == 0)
    close(origin)
  }

  private static func call(_ name: String, _ first: Int32, _ second: Int32 = 0) -> Int32 {
    typealias Call = @convention(c) (Int32, Int32) -> Int32
    guard let symbol = dlsym(nil, name) else { return -1 }
    return unsafeBitCast(symbol, to: Call.self)(first, second)
  }
}
