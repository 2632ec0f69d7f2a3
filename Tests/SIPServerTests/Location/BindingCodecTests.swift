import Structures
import Testing

@testable import SIPServer

@Suite("Bindings as octets")
struct BindingCodecTests {
  private static func octets(_ set: BindingSet) -> [UInt8] {
    var octets: [UInt8] = []
    BindingCodec.append(set, to: &octets)
    return octets
  }

  /// A binding as a phone makes it.
  static func phone(_ number: Int, flow: Flow = LocationSamples.stream(1)) -> Binding {
    let instance = "urn:uuid:00000000-0000-1000-8000-\(1_000_000_000_000 + number)"
    return Binding(
      uri: Array("sip:user\(number)@192.0.2.7:40000;transport=tls".utf8),
      parameters: Array(";+sip.instance=\"<\(instance)>\";reg-id=1".utf8), q: 1_000, isQGiven: false,
      expires: 1_790_003_600, callID: Array("3848276298220188511@192.0.2.7".utf8), cseq: 2,
      instance: Array(instance.utf8), regID: 1, gruuEra: 0x1234_5678_9ABC_DEF0, path: [], flow: flow, isDirect: true,
      isReachedByFlow: true, userAgent: Array("Phone 7.1 (build 4712)".utf8), registeredAt: 1_790_000_000)
  }

  private static func random(_ random: TestHashing) -> Binding {
    func number(_ limit: UInt64) -> UInt64 { random.randomWord() % limit }
    func text(_ limit: UInt64) -> [UInt8] { (0..<number(limit)).map { _ in UInt8(number(256)) } }
    var binding = phone(Int(number(1_000)))
    if number(2) == 0 { binding.uri = text(90) }
    if number(3) == 0 { binding.parameters = text(200) }
    if number(3) == 0 { (binding.q, binding.isQGiven) = (UInt16(number(1_001)), true) }
    if number(3) == 0 { (binding.instance, binding.gruuEra) = (nil, 0) }
    if number(3) == 0 { binding.regID = number(2) == 0 ? nil : .max }
    if number(3) == 0 { binding.path = text(300) }
    binding.userAgent = text(60)
    binding.callID = text(60)
    binding.cseq = UInt32(number(1 << 32))
    binding.registeredAt = Int64(bitPattern: number(.max) &* number(3))
    binding.expires = number(4) == 0 ? .max : binding.registeredAt &+ Int64(number(100_000))
    (binding.isDirect, binding.isReachedByFlow) = (number(2) == 0, number(2) == 0)
    let v6 = SocketAddress(IPAddress(v6: random.randomWord(), random.randomWord()), port: UInt16(number(65_536)))
    let v4 = SocketAddress(IPAddress(v4: UInt32(number(1 << 32))), port: UInt16(number(65_536)))
    let listener = UInt16(number(300))
    let id: FlowID =
      number(2) == 0
      ? .datagram(DatagramFlow(node: UInt32(number(1 << 32)), listener: listener, remote: number(2) == 0 ? v4 : v6))
      : .stream(
        StreamFlow(
          node: UInt32(number(1 << 32)), slot: UInt16(number(65_536)), epoch: random.randomWord(),
          connection: random.randomWord()))
    binding.flow = Flow(
      id: id, transport: TransportProtocol.allCases[Int(number(3))], listener: listener, local: v6, remote: v4,
      isVerified: number(2) == 0)
    return binding
  }

  @Test("a set is read as it was written, whatever is in it")
  func roundTrip() {
    let random = TestHashing(seed: 11)
    for _ in 0..<500 {
      let bindings = (0..<random.randomWord() % 5).map { _ in Self.random(random) }
      let lapsed = (0..<random.randomWord() % 3).map { _ in Self.random(random) }
      let set = BindingSet.of(bindings, lapsed: lapsed)
      let read = BindingCodec.read(Self.octets(set))
      #expect(read?.bindings == set.bindings && read?.lapsed == set.lapsed)
    }
  }

  @Test("octets of another version, cut or too many are refused, and none traps")
  func refusals() {
    let random = TestHashing(seed: 12)
    let whole = Self.octets(
      BindingSet([Self.phone(1), Self.random(random), Self.random(random)], lapsed: [Self.phone(2)]))
    #expect(BindingCodec.read(whole) != nil)
    #expect(BindingCodec.read([2] + whole.dropFirst()) == nil)
    #expect(BindingCodec.read(whole + [0]) == nil)
    #expect(BindingCodec.read(whole, from: whole.count + 9) == nil)
    for length in 0..<whole.count { #expect(BindingCodec.read(Array(whole[..<length])) == nil) }
    for _ in 0..<20_000 {
      var damaged = whole
      for _ in 0...random.randomWord() % 3 {
        damaged[Int(random.randomWord() % UInt64(damaged.count))] = UInt8(truncatingIfNeeded: random.randomWord())
      }
      guard let read = BindingCodec.read(damaged) else { continue }
      #expect(read.count + read.lapsed.count <= damaged.count / 30)
    }
  }

  @Test("counts beyond what can follow take no memory")
  func bounds() {
    #expect(BindingCodec.read([1, 0, 255, 255, 255, 255, 255, 255, 255, 255, 127, 0]) == nil)
    #expect(BindingCodec.read([1, 0, 0, 0]) === BindingSet.empty)
  }

  @Test("a phone's binding takes less than 320 octets")
  func size() {
    #expect(Self.octets(BindingSet([Self.phone(1)])).count < 320)
  }
}
