import Configuration
import SIPServer
import Structures
import Transport

/// The rows of answers to administrators: what an object of each kind shows.
enum ControlRows {
  /// A contact.
  static func binding(_ binding: Binding, of aor: [UInt8], _ now: Int64) -> JSONValue {
    let flow = binding.flow
    var connection: JSONValue = .null
    var slot: JSONValue = .null
    if case .stream(let stream) = flow.id {
      connection = .string(name(of: stream))
      slot = .count(stream.slot)
    }
    let instance = binding.instance.map { JSONValue.string(text($0)) } ?? .null
    return .object([
      .init("aor", .string(text(aor))), .init("contact", .string(text(binding.uri))),
      .init("expires", .count(max(0, binding.expires - now))),
      .init("q", binding.isQGiven ? .decimal(Double(binding.q) / 1_000) : .null),
      .init("transport", .string(flow.transport.name.description)),
      .init("remote", flow.remote.port == 0 ? .null : .string("\(flow.remote)")), .init("slot", slot),
      .init("connection", connection), .init("over_flow", .bool(binding.isReachedByFlow)),
      .init("verified", .bool(flow.isVerified)), .init("instance", instance),
      .init("reg_id", binding.regID.map { .count($0) } ?? .null), .init("path", .string(text(binding.path))),
      .init("user_agent", .string(text(binding.userAgent))), .init("call_id", .string(text(binding.callID))),
      .init("cseq", .count(binding.cseq)), .init("registered_at", .count(binding.registeredAt)),
    ])
  }

  /// Who holds the flow of a contact. Of a datagram flow any worker of the node does.
  static func owner(_ binding: Binding, of aor: [UInt8], _ own: UInt32, _ nodeName: String) -> JSONValue {
    let flow = binding.flow
    var (node, slot, generation, connection): (UInt32, JSONValue, JSONValue, JSONValue)
    switch flow.id {
    case .stream(let stream):
      (node, slot, generation, connection) = (
        stream.node, .count(stream.slot), .count(stream.connection >> 48), .string(name(of: stream))
      )
    case .datagram(let datagram): (node, slot, generation, connection) = (datagram.node, "any", .null, .null)
    }
    return .object([
      .init("aor", .string(text(aor))), .init("contact", .string(text(binding.uri))),
      .init("node", .string(node == own ? nodeName : "node \(String(node, radix: 16))")), .init("slot", slot),
      .init("generation", generation), .init("connection", connection),
      .init("transport", .string(flow.transport.name.description)),
      .init("remote", flow.remote.port == 0 ? .null : .string("\(flow.remote)")),
      .init("since", .count(binding.registeredAt)),
    ])
  }

  /// A connection that is being closed.
  static func closed(_ report: ConnectionReport) -> JSONValue {
    [
      "id": .string(name(of: report.flow)), "remote": .string("\(report.flow.remote)"), "state": "closing",
    ]
  }

  /// The number of a connection of this slot by its name `slot.generation.number`; nil when the text is none.
  static func connectionID(_ text: String, slot: UInt16) -> UInt64? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { UInt64($0) }
    guard parts.count == 3, let own = parts[0], own == UInt64(slot), let generation = parts[1], generation <= 0xFFFF,
      let number = parts[2], number < 1 << 48
    else { return nil }
    return generation << 48 | number
  }

  static func name(of flow: Flow) -> String {
    if case .stream(let stream) = flow.id { name(of: stream) } else { "" }
  }

  private static func name(of stream: StreamFlow) -> String {
    "\(stream.slot).\(stream.connection >> 48).\(stream.connection & (1 << 48 - 1))"
  }

  static func text(_ octets: [UInt8]) -> String {
    String(decoding: octets.prefix(ControlDesk.textLimit), as: UTF8.self)
  }
}
