/// Flows as processes of a node tell them to each other; ``PartReader`` reads them.
public enum FlowCoding {
  /// The name of a connection: node (4), slot (2), epoch (8), connection (8).
  public static func append(_ flow: StreamFlow, to output: inout OutputSpan<UInt8>) {
    output.append(bigEndian: UInt64(flow.node), 4)
    output.append(bigEndian: UInt64(flow.slot), 2)
    output.append(bigEndian: flow.epoch, 8)
    output.append(bigEndian: flow.connection, 8)
  }

  /// All facts: transport (1), listener (2), proofs (1: bit 0 verified, bit 1 trusted by that), our address and the peer's; then the name of the connection, or for UDP the node (4).
  /// An address is family (1: 4 or 6), port (2) and 4 or 16 octets.
  public static func append(_ flow: Flow, to output: inout OutputSpan<UInt8>) {
    output.append(flow.transport.rawValue)
    output.append(bigEndian: UInt64(flow.listener), 2)
    output.append((flow.isVerified ? 1 : 0) | (flow.isTrusted ? 2 : 0))
    append(flow.local, to: &output)
    append(flow.remote, to: &output)
    switch flow.id {
    case .stream(let name): append(name, to: &output)
    case .datagram(let name): output.append(bigEndian: UInt64(name.node), 4)
    }
  }

  /// The name of a datagram peer: node (4), listener (2), address.
  public static func append(_ flow: DatagramFlow, to output: inout OutputSpan<UInt8>) {
    output.append(bigEndian: UInt64(flow.node), 4)
    output.append(bigEndian: UInt64(flow.listener), 2)
    append(flow.remote, to: &output)
  }

  private static func append(_ address: SocketAddress, to output: inout OutputSpan<UInt8>) {
    output.append(address.address.family.rawValue)
    output.append(bigEndian: UInt64(address.port), 2)
    switch address.address.family {
    case .v4: output.append(bigEndian: address.address.low, 4)
    case .v6:
      output.append(bigEndian: address.address.high, 8)
      output.append(bigEndian: address.address.low, 8)
    }
  }
}
