import Structures

/// Takes apart what ``BindingCodec`` wrote. Every step may fail; none traps or takes more memory than the octets, whatever they are.
struct BindingReader {
  /// No binding takes fewer octets.
  private static let leastSize = 30
  private let octets: [UInt8]
  private var position: Int

  init(_ octets: [UInt8], at start: Int) {
    self.octets = octets
    position = min(max(0, start), octets.count)
  }

  var isAtEnd: Bool { position == octets.count }
  private var remaining: Int { octets.count - position }

  mutating func octet() -> UInt8? {
    guard remaining > 0 else { return nil }
    position += 1
    return octets[position - 1]
  }

  mutating func variable() -> UInt64? {
    var (number, shift): (UInt64, UInt64) = (0, 0)
    while shift < 64, let octet = octet() {
      if shift == 63, octet > 1 { return nil }
      number |= UInt64(octet & 127) << shift
      if octet < 128 { return number }
      shift += 7
    }
    return nil
  }

  mutating func signed() -> Int64? {
    variable().map { Int64(bitPattern: $0 >> 1) ^ -Int64(bitPattern: $0 & 1) }
  }

  /// How many bindings follow; nil when so many can't.
  mutating func count() -> Int? {
    guard let count = variable(), count <= UInt64(remaining / Self.leastSize) else { return nil }
    return Int(count)
  }

  mutating func bindings(_ count: Int, _ reference: Int64) -> [Binding]? {
    var bindings: [Binding] = []
    bindings.reserveCapacity(count)
    for _ in 0..<count {
      guard let binding = binding(reference) else { return nil }
      bindings.append(binding)
    }
    return bindings
  }

  private mutating func binding(_ reference: Int64) -> Binding? {
    guard let word = fixed(2) else { return nil }
    let flags = BindingFlags(rawValue: UInt16(word))
    guard flags.isSubset(of: .known), let uri = text(), let parameters = text() else { return nil }
    var q: UInt16 = 1_000
    if flags.contains(.isQGiven) {
      guard let given = small(1_000) else { return nil }
      q = UInt16(given)
    }
    guard let since = signed(), let duration = signed(), let callID = text(), let cseq = small(UInt64(UInt32.max))
    else {
      return nil
    }
    var (instance, era): ([UInt8]?, UInt64) = (nil, 0)
    if flags.contains(.hasInstance) {
      guard let name = self.instance(flags, parameters), let named = fixed(8) else { return nil }
      (instance, era) = (name, named)
    }
    var regID: UInt32?
    if flags.contains(.hasRegID) {
      guard let given = small(UInt64(UInt32.max)) else { return nil }
      regID = UInt32(given)
    }
    guard let path = text(), let userAgent = text(), let flow = flow(flags) else { return nil }
    let registeredAt = reference &+ since
    return Binding(
      uri: uri, parameters: parameters, q: q, isQGiven: flags.contains(.isQGiven), expires: registeredAt &+ duration,
      callID: callID, cseq: UInt32(cseq), instance: instance, regID: regID, gruuEra: era, path: path, flow: flow,
      isDirect: flags.contains(.isDirect), isReachedByFlow: flags.contains(.isReachedByFlow), userAgent: userAgent,
      registeredAt: registeredAt)
  }

  private mutating func instance(_ flags: BindingFlags, _ parameters: [UInt8]) -> [UInt8]? {
    guard flags.contains(.hasInstanceInParameters) else { return text() }
    guard let start = small(UInt64(parameters.count)), let length = small(UInt64(parameters.count) - start) else {
      return nil
    }
    return Array(parameters[Int(start)..<Int(start + length)])
  }

  private mutating func flow(_ flags: BindingFlags) -> Flow? {
    guard let transport = octet().flatMap(TransportProtocol.init(rawValue:)), let listener = short(),
      let local = address(), let remote = address(), let node = fixed(4).map({ UInt32($0) })
    else { return nil }
    let id: FlowID
    if !flags.contains(.isDatagram) {
      guard let slot = short(), let epoch = fixed(8), let connection = fixed(8) else { return nil }
      id = .stream(StreamFlow(node: node, slot: slot, epoch: epoch, connection: connection))
    } else if flags.contains(.isPlain) {
      id = .datagram(DatagramFlow(node: node, listener: listener, remote: remote))
    } else {
      guard let ownListener = short(), let ownRemote = address() else { return nil }
      id = .datagram(DatagramFlow(node: node, listener: ownListener, remote: ownRemote))
    }
    return Flow(
      id: id, transport: transport, listener: listener, local: local, remote: remote,
      isVerified: flags.contains(.isVerified))
  }

  private mutating func address() -> SocketAddress? {
    guard let family = octet().flatMap(IPAddress.Family.init(rawValue:)) else { return nil }
    let address: IPAddress
    switch family {
    case .v4:
      guard let bits = fixed(4) else { return nil }
      address = IPAddress(v4: UInt32(bits))
    case .v6:
      guard let high = fixed(8), let low = fixed(8) else { return nil }
      address = IPAddress(v6: high, low)
    }
    return fixed(2).map { SocketAddress(address, port: UInt16($0)) }
  }

  private mutating func text() -> [UInt8]? {
    guard let count = variable(), count <= UInt64(remaining) else { return nil }
    position += Int(count)
    return Array(octets[position - Int(count)..<position])
  }

  /// The next `length` octets (1 to 8) as a number.
  private mutating func fixed(_ length: Int) -> UInt64? {
    guard remaining >= length else { return nil }
    position += length
    let all = octets
    return all.span.bigEndian(position - length, length)
  }

  private mutating func short() -> UInt16? { small(UInt64(UInt16.max)).map { UInt16($0) } }

  /// A number that is at most `limit`.
  private mutating func small(_ limit: UInt64) -> UInt64? { variable().flatMap { $0 <= limit ? $0 : nil } }
}
