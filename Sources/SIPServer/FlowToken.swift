import SIPMessage
import SIPTransaction
import Structures

/// The user part of our Record-Route values: it names a flow and the address of record registered over it, encrypted and authenticated,
/// so that only we can make and read it (RFC 5626 §5.2).
///
/// Version 1: base64url of one octet naming the secret, then sealed: version (1), transport (1), listener (2), kind (1), then
/// for a stream node (4), slot (2), epoch (8), connection (8); for a datagram node (4), family (1), address (4 or 16), port (2); for an address family, address,
/// port, length of the name (1), name. The rest is the address of record.
struct FlowToken {
  private static let version: UInt8 = 1

  /// Where the token leads.
  let hop: NextHop
  /// Whose contact the flow was; empty for a peer that isn't registered.
  let addressOfRecord: [UInt8]

  /// Appends the token for a next hop.
  static func append(
    _ hop: NextHop, aor: Span<UInt8>, hashing: any Hashing, scratch: inout [UInt8], to output: inout [UInt8]
  ) {
    scratch.removeAll(keepingCapacity: true)
    scratch.append(Self.version)
    scratch.append(hop.transport.rawValue)
    scratch.append(bigEndian: UInt64(hop.listener), 2)
    switch hop.destination {
    case .flow(.stream(let stream)):
      scratch.append(Kind.stream.rawValue)
      scratch.append(bigEndian: UInt64(stream.node), 4)
      scratch.append(bigEndian: UInt64(stream.slot), 2)
      scratch.append(bigEndian: stream.epoch, 8)
      scratch.append(bigEndian: stream.connection, 8)
    case .flow(.datagram(let datagram)):
      scratch.append(Kind.datagram.rawValue)
      scratch.append(bigEndian: UInt64(datagram.node), 4)
      append(datagram.remote, &scratch)
    case .address(let remote, _, let name):
      scratch.append(Kind.address.rawValue)
      append(remote, &scratch)
      scratch.append(UInt8(truncatingIfNeeded: min(name.count, 255)))
      scratch += name.prefix(255)
    }
    if aor.count <= 128 { scratch.append(aor) }
    var sealed: [UInt8] = [Self.secret]
    hashing.seal(scratch.span, to: &sealed)
    output.append(base64URL: sealed.span)
  }

  private enum Kind: UInt8 {
    case stream = 0
    case datagram = 1
    case address = 2
  }

  private static func append(_ remote: SocketAddress, _ output: inout [UInt8]) {
    let address = remote.address
    output.append(address.family.rawValue)
    if address.family == .v6 { output.append(bigEndian: address.high, 8) }
    output.append(bigEndian: address.low, address.family == .v6 ? 8 : 4)
    output.append(bigEndian: UInt64(remote.port), 2)
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
    guard let (destination, end) = Self.readDestination(octets, transport, listener) else { return nil }
    hop = NextHop(destination: destination, transport: transport, listener: listener)
    var aor: [UInt8] = []
    aor.append(octets.extracting(end..<octets.count))
    addressOfRecord = aor
  }

  private static func readDestination(
    _ octets: Span<UInt8>, _ transport: TransportProtocol, _ listener: UInt16
  ) -> (Destination, Int)? {
    switch Kind(rawValue: octets[4]) {
    case .stream:
      guard octets.count >= 27 else { return nil }
      let flow = StreamFlow(
        node: UInt32(truncatingIfNeeded: octets.bigEndian(5, 4)),
        slot: UInt16(truncatingIfNeeded: octets.bigEndian(9, 2)),
        epoch: octets.bigEndian(11, 8), connection: octets.bigEndian(19, 8))
      return (.flow(.stream(flow)), 27)
    case .datagram:
      guard octets.count >= 9, let (remote, end) = readAddress(octets, 9) else { return nil }
      let node = UInt32(truncatingIfNeeded: octets.bigEndian(5, 4))
      return (.flow(.datagram(DatagramFlow(node: node, listener: listener, remote: remote))), end)
    case .address:
      guard let (remote, end) = readAddress(octets, 5), end < octets.count else { return nil }
      let nameEnd = end + 1 + Int(octets[end])
      guard nameEnd <= octets.count else { return nil }
      var name: [UInt8] = []
      name.append(octets.extracting(end + 1..<nameEnd))
      return (.address(remote, transport, name: name), nameEnd)
    case nil: return nil
    }
  }

  private static func readAddress(_ octets: Span<UInt8>, _ start: Int) -> (SocketAddress, Int)? {
    guard octets.count > start, let family = IPAddress.Family(rawValue: octets[start]) else { return nil }
    let end = start + 1 + (family == .v6 ? 18 : 6)
    guard octets.count >= end else { return nil }
    let address =
      family == .v6
      ? IPAddress(v6: octets.bigEndian(start + 1, 8), octets.bigEndian(start + 9, 8))
      : IPAddress(v4: UInt32(truncatingIfNeeded: octets.bigEndian(start + 1, 4)))
    return (SocketAddress(address, port: UInt16(truncatingIfNeeded: octets.bigEndian(end - 2, 2))), end)
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
}
