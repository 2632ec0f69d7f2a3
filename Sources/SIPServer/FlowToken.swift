import SIPMessage
import SIPTransaction
import Structures

/// The user part of our Record-Route values: it names a flow and the address of record registered over it, encrypted and authenticated,
/// so that only we can make and read it (RFC 5626 §5.2).
///
/// Version 1: base64url of one octet naming the secret, then sealed: version (1), transport (1), listener (2), kind (1: 0 stream, 1 datagram,
/// 2 no flow), then for a stream node (4), slot (2), epoch (8), connection (8), for a datagram node (4), family (1), address (4 or 16), port (2);
/// the rest is the address of record. Without a flow it shows that the dialog was let through; where its requests go stands in them.
struct FlowToken {
  private static let version: UInt8 = 1
  /// No token is shorter, in letters: one octet, sixteen of the seal and five of content.
  static let shortest = 30

  /// Where the token leads; nil when the request itself says it.
  let hop: NextHop?
  /// Whose contact the flow was; empty for a peer that isn't registered.
  let addressOfRecord: [UInt8]

  /// Appends the token for a next hop; `scratch` and `sealed` are overwritten.
  static func append(
    _ hop: NextHop, aor: Span<UInt8>, hashing: any Hashing, scratch: inout [UInt8], sealed: inout [UInt8],
    to output: inout [UInt8]
  ) {
    scratch.removeAll(keepingCapacity: true)
    scratch.append(Self.version)
    scratch.append(hop.transport.rawValue)
    scratch.append(bigEndian: UInt64(hop.listener), 2)
    switch hop.flow {
    case nil: scratch.append(2)
    case .stream(let stream):
      scratch.append(0)
      scratch.append(bigEndian: UInt64(stream.node), 4)
      scratch.append(bigEndian: UInt64(stream.slot), 2)
      scratch.append(bigEndian: stream.epoch, 8)
      scratch.append(bigEndian: stream.connection, 8)
    case .datagram(let datagram):
      scratch.append(1)
      scratch.append(bigEndian: UInt64(datagram.node), 4)
      let address = datagram.remote.address
      scratch.append(address.family.rawValue)
      if address.family == .v6 { scratch.append(bigEndian: address.high, 8) }
      scratch.append(bigEndian: address.low, address.family == .v6 ? 8 : 4)
      scratch.append(bigEndian: UInt64(datagram.remote.port), 2)
    }
    if aor.count <= 128 { scratch.append(aor) }
    sealed.removeAll(keepingCapacity: true)
    sealed.append(Self.secret)
    hashing.seal(scratch.span, to: &sealed)
    output.append(base64URL: sealed.span)
  }

  /// The secret under which tokens are sealed; others may be accepted once several are listed.
  private static let secret: UInt8 = 1

  /// Reads a token; nil when it isn't ours.
  init?(_ text: Span<UInt8>, hashing: any Hashing, scratch: inout [UInt8]) {
    scratch.removeAll(keepingCapacity: true)
    guard scratch.append(decodingBase64URL: text), scratch.count > 1, scratch[0] == Self.secret else { return nil }
    let sealed = scratch
    scratch.removeAll(keepingCapacity: true)
    guard hashing.open(sealed.span.extracting(1..<sealed.count), to: &scratch) else { return nil }
    let octets = scratch.span
    guard octets.count >= 5, octets[0] == Self.version, let transport = TransportProtocol(rawValue: octets[1]) else {
      return nil
    }
    let listener = UInt16(truncatingIfNeeded: octets.bigEndian(2, 2))
    guard let (flow, end) = Self.readFlow(octets, listener) else { return nil }
    hop = flow.map { NextHop(destination: .flow($0), transport: transport, listener: listener) }
    var aor: [UInt8] = []
    aor.append(octets.extracting(end..<octets.count))
    addressOfRecord = aor
  }

  private static func readFlow(_ octets: Span<UInt8>, _ listener: UInt16) -> (FlowID?, Int)? {
    if octets[4] == 2 { return (nil, 5) }
    if octets[4] == 0 {
      guard octets.count >= 27 else { return nil }
      let flow = StreamFlow(
        node: UInt32(truncatingIfNeeded: octets.bigEndian(5, 4)),
        slot: UInt16(truncatingIfNeeded: octets.bigEndian(9, 2)),
        epoch: octets.bigEndian(11, 8), connection: octets.bigEndian(19, 8))
      return (.stream(flow), 27)
    }
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

  /// Whether it is a flow, and which.
  var flow: FlowID? {
    if case .flow(let flow) = destination { return flow }
    return nil
  }
}
