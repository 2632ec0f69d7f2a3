import SIPTransaction

/// A fault put between the server and the network, to see that the run's judgement finds it.
package enum Sabotage: CaseIterable, Sendable {
  /// A refusal of an INVITE never leaves, nor do its repetitions.
  case dropRefusal
  /// A 2xx to INVITE never leaves, nor do its repetitions.
  case dropAcceptance
  /// The final response to something else never leaves.
  case dropAnswer
  /// A final response leaves twice over a stream.
  case doubleFinal
  /// A second, different final response follows the first.
  case contradictFinal
  /// A response comes from nobody.
  case inventResponse
  /// An INVITE goes to the flow of the one before.
  case misdirectInvite
  /// A CANCEL goes to the flow of the one before it.
  case misdirectCancel
  /// No CANCEL leaves.
  case dropCancels
  /// No ACK to a 2xx leaves.
  case dropAcks
  /// No request in a dialog leaves but ACK.
  case dropDialogs
  /// A message is repeated far too often.
  case flood
}

/// Changes what the server sends; see ``Sabotage``.
struct Saboteur {
  private let kind: Sabotage
  private var victim: [UInt8]?
  private var before: Destination?
  private var isDone = false

  init(_ kind: Sabotage) { self.kind = kind }

  /// What really leaves in place of a message.
  mutating func changed(_ packet: Packet, _ destination: Destination) -> [(Packet, Destination)] {
    let unchanged = [(packet, destination)]
    let isFinal = packet.status >= 200 && packet.method != "REGISTER" && packet.method != "CANCEL"
    let isStream = if case .flow(.stream) = destination { true } else { false }
    switch kind {
    case .dropRefusal:
      return isVictim(packet, isFinal && packet.status >= 300 && packet.method == "INVITE") ? [] : unchanged
    case .dropAcceptance: return isVictim(packet, packet.status == 200 && packet.method == "INVITE") ? [] : unchanged
    case .dropAnswer: return isVictim(packet, isFinal && packet.method != "INVITE") ? [] : unchanged
    case .doubleFinal:
      let isRefusal = packet.status >= 300 || packet.method != "INVITE"
      return once(isFinal && isStream && isRefusal) ? unchanged + unchanged : unchanged
    case .contradictFinal: return once(isFinal) ? unchanged + [(altered(packet, status: 499), destination)] : unchanged
    case .inventResponse: return once(packet.status == 180) ? [(altered(packet, status: 183), destination)] : unchanged
    case .misdirectInvite: return misdirected(packet, destination, "INVITE")
    case .misdirectCancel: return misdirected(packet, destination, "CANCEL")
    case .dropCancels: return packet.start.hasPrefix("CANCEL") ? [] : unchanged
    case .dropAcks: return packet.start.hasPrefix("ACK") && !packet.toTag.hasPrefix("apus") ? [] : unchanged
    case .dropDialogs: return packet.isResponse || packet.method == "ACK" || packet.toTag.isEmpty ? unchanged : []
    case .flood: return once(isFinal) ? Array(repeating: (packet, destination), count: 60) : unchanged
    }
  }

  /// Whether it is the first that fits, or the same again.
  private mutating func isVictim(_ packet: Packet, _ fits: Bool) -> Bool {
    if victim == nil, fits { victim = packet.octets }
    return victim == packet.octets
  }

  private mutating func once(_ fits: Bool) -> Bool {
    defer { isDone = isDone || fits }
    return fits && !isDone
  }

  private mutating func misdirected(_ packet: Packet, _ destination: Destination, _ method: String)
    -> [(Packet, Destination)]
  {
    let isRequest = !packet.isResponse
    defer { if isRequest { before = destination } }
    guard packet.start.hasPrefix(method), let before, before != destination else { return [(packet, destination)] }
    return [(packet, before)]
  }

  private func altered(_ packet: Packet, status: Int) -> Packet {
    var octets = packet.octets
    octets.replaceSubrange(8..<11, with: Array("\(status)".utf8))
    return Packet(octets)
  }
}
