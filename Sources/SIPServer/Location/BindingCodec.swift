import Structures

/// A set of bindings as compact octets: what the location stores, what a worker keeps of its own bindings, and what one worker tells another.
///
/// Version 1: version (1), time of reference, count of bindings, count of lapsed ones, then each binding. Numbers are of variable length, seven bits an octet, the
/// lowest first; differences of times carry their sign in the lowest bit; texts stand behind their length. A binding: two octets of flags; URI; parameters; `q` if given; when it
/// was registered, as difference to the reference; for how long; Call-ID; CSeq; the instance if there is one, where it can be found in the parameters as position and
/// length; reg-id; era of temporary GRUUs (8); Path; User-Agent; flow.
public enum BindingCodec {
  static let version: UInt8 = 1
  /// No reader takes more octets than this, far more than bindings of one address of record ever are.
  public static let maximum = 4 << 20

  /// Appends a set.
  public static func append(_ set: BindingSet, to output: inout [UInt8]) {
    output.append(version)
    let reference = set.bindings.first?.registeredAt ?? set.lapsed.first?.registeredAt ?? 0
    output.append(signed: reference)
    output.append(variable: UInt64(set.bindings.count))
    output.append(variable: UInt64(set.lapsed.count))
    for binding in set.bindings { append(binding, reference, to: &output) }
    for binding in set.lapsed { append(binding, reference, to: &output) }
  }

  /// The set that begins at a position and takes all the rest; nil when the octets are not one, or of a version that is not known.
  public static func read(_ octets: [UInt8], from start: Int = 0) -> BindingSet? {
    var reader = BindingReader(octets, at: start)
    guard octets.count <= maximum, reader.octet() == version, let reference = reader.signed(),
      let count = reader.count(), let lapsedCount = reader.count()
    else { return nil }
    guard let bindings = reader.bindings(count, reference), let lapsed = reader.bindings(lapsedCount, reference),
      reader.isAtEnd
    else { return nil }
    return BindingSet.of(bindings, lapsed: lapsed)
  }

  private static func append(_ binding: Binding, _ reference: Int64, to output: inout [UInt8]) {
    let place = binding.instance.flatMap { Self.place(of: $0, in: binding.parameters) }
    var flags: BindingFlags = []
    if binding.isQGiven { flags.insert(.isQGiven) }
    if binding.isDirect { flags.insert(.isDirect) }
    if binding.isReachedByFlow { flags.insert(.isReachedByFlow) }
    if binding.instance != nil { flags.insert(.hasInstance) }
    if binding.regID != nil { flags.insert(.hasRegID) }
    if place != nil { flags.insert(.hasInstanceInParameters) }
    if binding.flow.isVerified { flags.insert(.isVerified) }
    if case .datagram(let datagram) = binding.flow.id {
      flags.insert(.isDatagram)
      if datagram.listener == binding.flow.listener, datagram.remote == binding.flow.remote { flags.insert(.isPlain) }
    }
    output.append(bigEndian: UInt64(flags.rawValue), 2)
    output.append(counted: binding.uri)
    output.append(counted: binding.parameters)
    if binding.isQGiven { output.append(variable: UInt64(binding.q)) }
    output.append(signed: binding.registeredAt &- reference)
    output.append(signed: binding.expires &- binding.registeredAt)
    output.append(counted: binding.callID)
    output.append(variable: UInt64(binding.cseq))
    if let instance = binding.instance {
      if let place { output.append(variable: UInt64(place)) }
      if place == nil { output.append(counted: instance) } else { output.append(variable: UInt64(instance.count)) }
      output.append(bigEndian: binding.gruuEra, 8)
    }
    if let regID = binding.regID { output.append(variable: UInt64(regID)) }
    output.append(counted: binding.path)
    output.append(counted: binding.userAgent)
    append(binding.flow, flags, to: &output)
  }

  private static func append(_ flow: Flow, _ flags: BindingFlags, to output: inout [UInt8]) {
    output.append(flow.transport.rawValue)
    output.append(variable: UInt64(flow.listener))
    output.append(flow.local)
    output.append(flow.remote)
    switch flow.id {
    case .stream(let stream):
      output.append(bigEndian: UInt64(stream.node), 4)
      output.append(variable: UInt64(stream.slot))
      output.append(bigEndian: stream.epoch, 8)
      output.append(bigEndian: stream.connection, 8)
    case .datagram(let datagram):
      output.append(bigEndian: UInt64(datagram.node), 4)
      if flags.contains(.isPlain) { return }
      output.append(variable: UInt64(datagram.listener))
      output.append(datagram.remote)
    }
  }

  /// Where the instance stands in the parameters, as it mostly does, so that it needn't be stored twice.
  private static func place(of instance: [UInt8], in parameters: [UInt8]) -> Int? {
    guard let first = instance.first, parameters.count >= instance.count else { return nil }
    let (all, wanted) = (parameters.span, instance.span)
    for start in 0...parameters.count - instance.count where all[start] == first {
      if all.extracting(start..<start + instance.count).equals(wanted) { return start }
    }
    return nil
  }
}

/// What a stored binding has.
struct BindingFlags: OptionSet {
  let rawValue: UInt16
  static let isQGiven = BindingFlags(rawValue: 1)
  static let isDirect = BindingFlags(rawValue: 2)
  static let isReachedByFlow = BindingFlags(rawValue: 4)
  static let hasInstance = BindingFlags(rawValue: 8)
  static let hasRegID = BindingFlags(rawValue: 16)
  static let hasInstanceInParameters = BindingFlags(rawValue: 32)
  static let isVerified = BindingFlags(rawValue: 64)
  static let isDatagram = BindingFlags(rawValue: 128)
  /// The datagram flow has the listener and the peer of the flow, as it always should.
  static let isPlain = BindingFlags(rawValue: 256)
  static let known: BindingFlags = BindingFlags(rawValue: 511)
}

extension [UInt8] {
  fileprivate mutating func append(variable number: UInt64) {
    var rest = number
    while rest > 127 {
      append(UInt8(truncatingIfNeeded: rest) | 128)
      rest >>= 7
    }
    append(UInt8(truncatingIfNeeded: rest))
  }

  fileprivate mutating func append(signed number: Int64) {
    append(variable: UInt64(bitPattern: number &<< 1 ^ number >> 63))
  }

  fileprivate mutating func append(counted text: [UInt8]) {
    append(variable: UInt64(text.count))
    append(text.span)
  }

  fileprivate mutating func append(_ address: SocketAddress) {
    append(address.address.family.rawValue)
    switch address.address.family {
    case .v4: append(bigEndian: address.address.low, 4)
    case .v6:
      append(bigEndian: address.address.high, 8)
      append(bigEndian: address.address.low, 8)
    }
    append(bigEndian: UInt64(address.port), 2)
  }
}
