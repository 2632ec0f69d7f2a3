import Reactor
import Structures
import Testing

@testable import Transport

@Suite("STUN on the UDP ports, RFC 5626 §5.4 and RFC 5389")
struct StunTests {
  private static let source = "192.0.2.5:32853"
  private static let transaction: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]

  /// A message with its length filled in.
  private static func stun(
    _ type: UInt64 = 0x0001, cookie: UInt64 = 0x2112_A442, with attributes: [(UInt64, [UInt8])] = []
  ) -> [UInt8] {
    var body: [UInt8] = []
    for (type, value) in attributes {
      body.append(bigEndian: type, 2)
      body.append(bigEndian: UInt64(value.count), 2)
      body += value
      while body.count % 4 != 0 { body.append(0) }
    }
    var octets: [UInt8] = []
    octets.append(bigEndian: type, 2)
    octets.append(bigEndian: UInt64(body.count), 2)
    octets.append(bigEndian: cookie, 4)
    return octets + transaction + body
  }

  private static func answer(_ request: [UInt8], from source: String = source) throws -> (StunBinding.Outcome, [UInt8])
  {
    var answer: [UInt8] = [9, 9, 9]
    let outcome = StunBinding.answer(request.span, from: try #require(SocketAddress(source)), to: &answer)
    return (outcome, answer)
  }

  @Test("a Binding request is answered with the address that it came from, masked by the cookie")
  func mapped() throws {
    let (outcome, answer) = try Self.answer(Self.stun())
    #expect(outcome == .answered)
    // 192.0.2.5 and 32853 over 0x2112A442 and 0x2112
    let value: [UInt8] = [0, 1, 0xA1, 0x47, 0xE1, 0x12, 0xA6, 0x47]
    #expect(answer == Self.stun(0x0101, with: [(0x0020, value)]))
  }

  @Test("an IPv6 address is masked by the cookie and the transaction id")
  func mappedV6() throws {
    let (outcome, answer) = try Self.answer(Self.stun(), from: "[2001:db8::1]:5060")
    #expect(outcome == .answered)
    let address: [UInt8] = [0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    let mask: [UInt8] = [0x21, 0x12, 0xA4, 0x42] + Self.transaction
    let value: [UInt8] = [0, 2, 0x13 ^ 0x21, 0xC4 ^ 0x12] + zip(address, mask).map { $0 ^ $1 }
    #expect(answer == Self.stun(0x0101, with: [(0x0020, value)]))
  }

  @Test("a client without the cookie gets its address unmasked and its whole transaction id back")
  func oldClient() throws {
    let (outcome, answer) = try Self.answer(Self.stun(cookie: 0xCAFE_F00D))
    #expect(outcome == .answered)
    let value: [UInt8] = [0, 1, 0x80, 0x55, 192, 0, 2, 5]
    #expect(answer == Self.stun(0x0101, cookie: 0xCAFE_F00D, with: [(0x0001, value)]))
  }

  @Test("FINGERPRINT is checked, and given when the request had one")
  func fingerprint() throws {
    // Computed by another implementation of CRC-32.
    let request = Self.stun(with: [(0x8028, [0x5B, 0x20, 0xF9, 0xCC])])
    let (outcome, answer) = try Self.answer(request)
    #expect(outcome == .answered)
    #expect(answer.count == 40)
    #expect(Array(answer[32..<36]) == [0x80, 0x28, 0, 4])
    // Its own FINGERPRINT stands the same check.
    var echo = answer
    echo[0] = 0
    #expect(try Self.answer(echo).0 == .ignored)
    var broken = request
    broken[12] ^= 1
    #expect(try Self.answer(broken).0 == .ignored)
    #expect(try Self.answer(Self.stun(with: [(0x8028, [0x5B, 0x20, 0xF9, 0xCC]), (0x8022, [])])).0 == .ignored)
  }

  @Test("attributes that must be understood and aren't make a 420 that names them")
  func unknown() throws {
    let (outcome, answer) = try Self.answer(
      Self.stun(with: [(0x8022, [65, 66, 67]), (0x0024, [0, 0, 0, 1]), (0x0006, [65])]))
    #expect(outcome == .answered)
    let reason = Array("Unknown Attribute".utf8)
    #expect(answer == Self.stun(0x0111, with: [(0x0009, [0, 0, 4, 20] + reason), (0x000A, [0, 0x24])]))
    // RFC 5389 §12.2: so do those that only RFC 3489 knew.
    #expect(try Self.answer(Self.stun(cookie: 1, with: [(0x0003, [0, 0, 0, 0])])).1.starts(with: [0x01, 0x11]))
  }

  @Test("an answer stays short, whatever the request names")
  func bounded() throws {
    let many = (0..<200).map { (UInt64(0x0100 + $0), [UInt8]()) }
    let (outcome, answer) = try Self.answer(Self.stun(with: many))
    #expect(outcome == .answered)
    #expect(answer.count == StunBinding.longestAnswer)
    #expect(try Self.answer(Self.stun(with: [(0x8022, [UInt8](repeating: 0, count: 2_000))])).0 == .ignored)
  }

  @Test("what is no request for a Binding is not answered")
  func ignored() throws {
    #expect(try Self.answer(Self.stun(0x0011)).0 == .indication)
    #expect(try Self.answer(Self.stun(0x0011, with: [(0x0024, [0, 0, 0, 1])])).0 == .ignored)
    for type: UInt64 in [0x0101, 0x0111, 0x0003, 0x0002] { #expect(try Self.answer(Self.stun(type)).0 == .ignored) }
    var long = Self.stun()
    long[3] = 4
    #expect(try Self.answer(long).0 == .ignored)
    #expect(try Self.answer(Self.stun() + [0, 0]).0 == .ignored)
    #expect(try Self.answer(Array(Self.stun(with: [(0x0006, [1, 2])]).dropLast(4))).0 == .ignored)
    var overrun = Self.stun(with: [(0x0006, [1, 2, 3, 4])])
    overrun[23] = 9
    #expect(try Self.answer(overrun).0 == .ignored)
  }

  @Test("octets at random never trap, and never make an answer longer than the bound")
  func noise() throws {
    var state: UInt64 = 42
    func random() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state >> 33
    }
    for _ in 0..<20_000 {
      let attributes = (0..<Int(random() % 4)).map { _ in
        (random() & 0xFFFF, [UInt8](repeating: 7, count: Int(random() % 9)))
      }
      var octets = Self.stun(with: attributes)
      for _ in 0..<random() % 4 { octets[Int(random()) % octets.count] = UInt8(truncatingIfNeeded: random()) }
      octets.removeLast(Int(random() % 5))
      let (outcome, answer) = try Self.answer(octets)
      #expect((outcome == .answered) == !answer.isEmpty)
      #expect(answer.count <= StunBinding.longestAnswer)
    }
  }

  @Test(
    "the socket answers STUN and SIP beside each other, and keep-alives with neither",
    arguments: ["127.0.0.1:0", "[::1]:0"])
  func socket(_ address: String) throws {
    let bench = try Bench()
    let server = try bench.listen(.udp, on: address)
    let descriptor = try Socket.datagram(try #require(SocketAddress(address)))
    let own = try Socket.localAddress(descriptor.number)
    let request = Self.stun()
    for octets in [request, Array(message("a").utf8), [0, 0, 0, 0], Self.stun(0x0011), [1, 2, 3]] {
      #expect(Socket.send(descriptor.number, octets.span, to: server) == .octets(octets.count))
    }
    var buffer = [UInt8](repeating: 0, count: 2_000)
    var answers: [[UInt8]] = []
    bench.turn {
      if case .octets(let count) = Socket.read(descriptor.number, into: &buffer) {
        answers.append(Array(buffer[..<count]))
      }
      return bench.layer.counters.stunIgnored == 1 && !answers.isEmpty
    }
    #expect(answers == [try Self.answer(request, from: "\(own)").1])
    #expect(bench.recorder.texts == [message("a")])
    #expect(bench.layer.counters.stunAnswered == 1)
    #expect(bench.layer.counters.keepAlives == 2)
  }
}
