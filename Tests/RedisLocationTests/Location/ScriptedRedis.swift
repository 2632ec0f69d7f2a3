import Structures

@testable import RedisLocation
@testable import SIPServer

/// A Redis of a test: what is stored, carried out when the test says, with a history of every state that an address of record had.
final class ScriptedRedis {
  private(set) var values: [[UInt8]: [UInt8]] = [:]
  private(set) var era: UInt64?
  /// Where requests went, after each change, as ``Station/targets(_:)`` tells it.
  private(set) var history: [[UInt8]: [[String]]] = [:]
  private(set) var writes = 0
  private var claims: Set<[UInt8]> = []
  var stations: [Station] = []
  /// Whether the next commands are refused with an error.
  var refuses = false
  var isScriptLost = false

  /// Forgets everything, as a server that was started anew without its file.
  func wipe() {
    values = [:]
    era = nil
    for aor in history.keys { history[aor]?.append([]) }
  }

  /// Loses one value without telling anybody.
  func forget(_ aor: [UInt8]) { values[aor] = nil }

  /// Stores octets.
  var salts: [UInt64: [UInt8]] = [:]

  func plant(_ aor: [UInt8], _ octets: [UInt8]) { values[aor] = octets }

  func targets(_ aor: [UInt8]) -> [String] {
    Station.targets(values[aor].map { LocationMachine.decode($0).0 })
  }

  func set(_ aor: [UInt8]) -> BindingSet? { values[aor].map { LocationMachine.decode($0).0 } }

  func execute(_ command: LocationOrders.Command) -> LocationReply {
    if refuses { return .failed }
    switch command {
    case .read(let aor): return .value(values[aor])
    case .write(let change):
      if isScriptLost {
        isScriptLost = false
        return .scriptMissing
      }
      return write(change)
    case .lease: return .done
    case .claim(let key, _): return claims.insert(key).inserted ? .done : .value(nil)
    case .user: return .value(nil)
    case .beginEra(let name):
      if era == nil { era = name }
      return .done
    case .beginSalt(let epoch, let salt, _):
      if salts[epoch] == nil { salts[epoch] = salt }
      return .done
    case .readSalt(let epoch): return .value(salts[epoch])
    case .readEra:
      guard let era else { return .value(nil) }
      var octets: [UInt8] = []
      octets.append(bigEndian: era, 8)
      return .value(octets)
    }
  }

  private func write(_ change: CompareAndSet) -> LocationReply {
    let present = values[change.aor]
    let version = present.map { LocationMachine.decode($0).1 } ?? 0
    if version != change.expected { return .value(present) }
    values[change.aor] = change.value.isEmpty ? nil : change.value
    writes += 1
    history[change.aor, default: [[]]].append(targets(change.aor))
    guard change.isPublished else { return .done }
    let place = (history[change.aor]?.count ?? 1) - 1
    for station in stations where station.isListening {
      station.messages.append(Station.Message(aor: change.aor, version: change.version, place: place))
    }
    return .done
  }
}
