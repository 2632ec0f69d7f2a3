import SIPMessage
import SIPTransaction
import Structures

/// The user part of our Record-Route and Path values: it names a flow and the binding that hangs on it, encrypted and authenticated, so that
/// only we can make and read it (RFC 5626 §5.2). When the flow is gone, the binding leads to the one that took its place.
///
/// base64url of one octet naming the secret, then sealed. Version 2: version (1), transport (1), listener (2), kind (1), then for a stream node (4),
/// slot (2), epoch (8), connection (8), for a datagram node (4), family (1), address (4 or 16), port (2), for neither a check of the Call-ID (4); then the kind of the
/// binding's identity (1), unless it is 0 its hash (8); the rest is the address of record. The lower half of kind is 0 for a stream, 1 for a
/// datagram, 2 for no flow: such a token shows that the dialog of this Call-ID was let through, and where its requests go stands in them. Its upper
/// half is 1 for a token in a Path. Version 1 had no identity and no check.
struct FlowToken {
  /// Who is at the other end of the flow of a token.
  struct Owner {
    /// The address of record; empty for a peer that isn't registered.
    var aor: [UInt8]
    /// Which of its bindings.
    var identity: BindingIdentity

    /// A peer of which nothing is known.
    static let unknown = Owner(aor: [], identity: .none)
  }

  private static let version: UInt8 = 2
  /// No token is shorter, in letters: one octet, sixteen of the seal and five of content.
  static let shortest = 30
  /// An address of record that is longer is left out: RFC 3261 §18.1.1 wants short requests.
  private static let longestRecord = 128

  /// Where the token leads; nil when the request itself says it.
  let hop: NextHop?
  /// Of a token that leads nowhere itself, a check of the Call-ID of its dialog.
  let callCheck: UInt32
  /// Whose flow it was; without the address of record unless it was asked for.
  let owner: Owner
  /// Where the address of record begins in what was opened.
  private let recordStart: Int
  /// Whether it stood in a Path: then whoever knows it may send requests outside of dialogs (RFC 3327 §5.1).
  let isPath: Bool

  /// Appends the token for a next hop; `scratch` and `sealed` are overwritten.
  static func append(
    _ hop: NextHop, owner: Owner, callCheck: UInt32 = 0, isPath: Bool = false, hashing: any Hashing,
    scratch: inout [UInt8],
    sealed: inout [UInt8], to output: inout [UInt8]
  ) {
    scratch.clear()
    scratch.append(Self.version)
    scratch.append(hop.transport.rawValue)
    scratch.append(bigEndian: UInt64(hop.listener), 2)
    let purpose: UInt8 = isPath ? 0x10 : 0
    switch hop.flow {
    case nil:
      scratch.append(2 | purpose)
      scratch.append(bigEndian: UInt64(callCheck), 4)
    case .stream(let stream):
      scratch.append(0 | purpose)
      scratch.append(bigEndian: UInt64(stream.node), 4)
      scratch.append(bigEndian: UInt64(stream.slot), 2)
      scratch.append(bigEndian: stream.epoch, 8)
      scratch.append(bigEndian: stream.connection, 8)
    case .datagram(let datagram):
      scratch.append(1 | purpose)
      scratch.append(bigEndian: UInt64(datagram.node), 4)
      let address = datagram.remote.address
      scratch.append(address.family.rawValue)
      if address.family == .v6 { scratch.append(bigEndian: address.high, 8) }
      scratch.append(bigEndian: address.low, address.family == .v6 ? 8 : 4)
      scratch.append(bigEndian: UInt64(datagram.remote.port), 2)
    }
    scratch.append(owner.identity.kind.rawValue)
    if owner.identity.kind != .none {
      scratch.append(bigEndian: owner.identity.hash, 8)
    }
    if owner.aor.count <= longestRecord { scratch.append(owner.aor.span) }
    sealed.clear()
    sealed.append(Self.secret)
    hashing.seal(scratch.span, to: &sealed)
    output.append(base64URL: sealed.span)
  }

  /// The secret under which tokens are sealed; others may be accepted once several are listed.
  private static let secret: UInt8 = 1

  /// Reads a token; nil when it isn't ours. The address of record is read only when asked for: most requests don't need it.
  init?(_ text: Span<UInt8>, withRecord: Bool = false, hashing: any Hashing, scratch: inout [UInt8]) {
    scratch.clear()
    guard scratch.append(decodingBase64URL: text), scratch.count > 1, scratch[0] == Self.secret else { return nil }
    let sealed = scratch
    scratch.clear()
    guard hashing.open(sealed.span.extracting(1..<sealed.count), to: &scratch) else { return nil }
    let octets = scratch.span
    guard octets.count >= 5, octets[0] == 1 || octets[0] == Self.version,
      let transport = TransportProtocol(rawValue: octets[1])
    else { return nil }
    let listener = UInt16(truncatingIfNeeded: octets.bigEndian(2, 2))
    guard let (flow, flowEnd) = Self.readFlow(octets, listener) else { return nil }
    guard let (identity, end) = Self.readIdentity(octets, flowEnd) else { return nil }
    hop = flow.map { NextHop(destination: .flow($0), transport: transport, listener: listener) }
    isPath = octets[4] >> 4 == 1
    callCheck = octets[0] > 1 && flow == nil ? UInt32(truncatingIfNeeded: octets.bigEndian(5, 4)) : 0
    recordStart = end
    var aor: [UInt8] = []
    if withRecord { aor.append(octets.extracting(end..<octets.count)) }
    owner = Owner(aor: aor, identity: identity)
  }

  /// Appends the address of record of a token; nothing when it isn't ours or has none.
  static func appendRecord(
    _ text: Span<UInt8>, hashing: any Hashing, scratch: inout [UInt8], to output: inout [UInt8]
  ) {
    // What was opened is left in the scratch.
    guard let token = FlowToken(text, hashing: hashing, scratch: &scratch) else { return }
    let octets = scratch.span
    if token.recordStart < octets.count { output.append(octets.extracting(token.recordStart..<octets.count)) }
  }

  private static func readFlow(_ octets: Span<UInt8>, _ listener: UInt16) -> (FlowID?, Int)? {
    switch octets[4] & 0xF {
    case 2: return octets[0] == 1 ? (nil, 5) : octets.count >= 9 ? (nil, 9) : nil
    case 0:
      guard octets.count >= 27 else { return nil }
      let flow = StreamFlow(
        node: UInt32(truncatingIfNeeded: octets.bigEndian(5, 4)),
        slot: UInt16(truncatingIfNeeded: octets.bigEndian(9, 2)),
        epoch: octets.bigEndian(11, 8), connection: octets.bigEndian(19, 8))
      return (.stream(flow), 27)
    case 1:
      guard octets.count >= 16, let family = IPAddress.Family(rawValue: octets[9]) else { return nil }
      let end = family == .v6 ? 28 : 16
      guard octets.count >= end else { return nil }
      let address =
        family == .v6
        ? IPAddress(v6: octets.bigEndian(10, 8), octets.bigEndian(18, 8))
        : IPAddress(v4: UInt32(truncatingIfNeeded: octets.bigEndian(10, 4)))
      let port = UInt16(truncatingIfNeeded: octets.bigEndian(end - 2, 2))
      let node = UInt32(truncatingIfNeeded: octets.bigEndian(5, 4))
      return (.datagram(DatagramFlow(node: node, listener: listener, remote: SocketAddress(address, port: port))), end)
    default: return nil
    }
  }

  private static func readIdentity(_ octets: Span<UInt8>, _ start: Int) -> (BindingIdentity, Int)? {
    if octets[0] == 1 { return (.none, start) }
    guard start < octets.count, let kind = BindingIdentity.Kind(rawValue: octets[start]) else { return nil }
    if kind == .none { return (.none, start + 1) }
    guard start + 9 <= octets.count else { return nil }
    return (BindingIdentity(kind: kind, hash: octets.bigEndian(start + 1, 8)), start + 9)
  }
}

/// Where a request goes next, and as whom we send it there.
struct NextHop: Sendable {
  /// Where to.
  let destination: Destination
  /// Over what.
  let transport: TransportProtocol
  /// The listener whose name stands in Via and Record-Route.
  let listener: UInt16
  /// Whether its datagram flow stands for an address that a contact names, at which the peer may be reached otherwise as well.
  var isContactAddress = false

  /// Whether it is a flow, and which.
  var flow: FlowID? {
    if case .flow(let flow) = destination { return flow }
    return nil
  }
}
