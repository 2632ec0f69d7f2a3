internal import Configuration
internal import Reactor
internal import Structures

/// What the supervisor answers administrators.
extension NodeSupervisor: ControlledNode {
  var slotCount: Int { listeners.slots.count }

  func ask(slot: Int, id: UInt32, octets: [UInt8]) -> Bool {
    guard machine.readySlots.contains(slot), let worker = workers[slot] else { return false }
    return worker.send(.question(id: id, octets: octets))
  }

  func answer(
    _ verb: ControlVerb, _ values: [String: String],
    _ reply: @escaping (Result<[JSONValue], ControlProblem>) -> Void
  ) {
    switch verb.name {
    case "core.ps": reply(.success(processRows()))
    case "core.uptime": reply(.success([uptimeRow()]))
    case "core.version":
      reply(.success([["version": .string(Version.text), "node": .string(file.configuration.node)]]))
    case "core.sockets": reply(.success(socketRows()))
    case "worker.list": reply(.success((0..<slotCount).map(workerRow)))
    case "worker.restart": reply(restart(values))
    case "upgrade": reply(upgrade())
    case "drain": reply(beginDrain(values))
    case "undrain": reply(endDrain())
    case "stats.get": reply(statisticsRows(values["name"] ?? "*"))
    case "health": reply(.success([healthRow()]))
    case "reload": reload { outcome in reply(Self.answer(to: outcome)) }
    default: reply(.failure(ControlVerbs.unknown(verb.name)))
    }
  }

  // MARK: - Rows

  private func processRows() -> [JSONValue] {
    var rows = [row(role: "supervisor", process: System.processID, startedAt: startedAt)]
    for slot in 0..<slotCount {
      guard let worker = workers[slot] else { continue }
      let more: [JSONValue.Member] = [
        .init("slot", .count(slot)), .init("generation", .count(worker.generation)),
        .init("connections", .count(statistics.value("tcp.connections", slot: slot))),
        .init("bindings", .count(statistics.value("ul.bindings", slot: slot))),
        .init("longest_turn_us", .count(statistics.value("loop.longest_turn", slot: slot))),
        .init("slow_turns", .count(statistics.value("loop.slow_turns", slot: slot))),
      ]
      rows.append(
        row(role: "worker", process: worker.process, startedAt: statistics.header(slot: slot)?.startedAt, more))
    }
    if let process = redis?.process { rows.append(row(role: "redis", process: process, startedAt: nil)) }
    return rows
  }

  private func row(
    role: String, process: Int32, startedAt: Int64?, _ more: [JSONValue.Member] = []
  ) -> JSONValue {
    let facts = ProcessFacts(process: process)
    return .object(
      [
        .init("role", .string(role)), .init("pid", .count(process)),
        .init("uptime", startedAt.map { .count(Self.seconds(since: $0)) } ?? .null),
        .init("rss_kb", facts.residentKiB.map { .count($0) } ?? .null),
        .init("pss_kb", facts.proportionalKiB.map { .count($0) } ?? .null),
        .init("cpu_ms", facts.processorMilliseconds.map { .count($0) } ?? .null),
      ] + more)
  }

  private func uptimeRow() -> JSONValue {
    [
      "now": .count(System.wallSeconds), "started": .count(startedAt / 1_000),
      "uptime": .count(Self.seconds(since: startedAt)), "node": .string(file.configuration.node),
    ]
  }

  private func socketRows() -> [JSONValue] {
    zip(file.configuration.listen, listeners.addresses).map { listener, address in
      [
        "transport": .string("\(listener.transport.name)"), "address": .string("\(address)"),
        "sockets": .count(slotCount),
      ]
    }
  }

  private func workerRow(_ slot: Int) -> JSONValue {
    let header = statistics.header(slot: slot)
    return [
      "slot": .count(slot), "generation": workers[slot].map { .count($0.generation) } ?? .null,
      "pid": workers[slot].map { .count($0.process) } ?? .null, "state": .string(machine.stateName(of: slot)),
      "uptime": header.map { .count(Self.seconds(since: $0.startedAt)) } ?? .null,
      "connections": .count(statistics.value("tcp.connections", slot: slot)),
      "bindings": .count(statistics.value("ul.bindings", slot: slot)),
    ]
  }

  private func statisticsRows(_ pattern: String) -> Result<[JSONValue], ControlProblem> {
    let positions = CounterTable.positions(matching: pattern)
    guard !positions.isEmpty else {
      return .failure(
        ControlProblem(.refused, "there is no counter '\(pattern)'", remedy: "apus ctl stats.get lists all of them"))
    }
    return .success(
      positions.map { position in
        let counter = CounterTable.all[position]
        let each = (0..<slotCount).map { JSONValue.count(statistics.value(at: position, slot: $0)) }
        return [
          "name": .string(counter.name), "value": .count(statistics.total(at: position)),
          "unit": .string(counter.unit), "kind": .string(counter.kind.rawValue), "workers": .array(each),
          "summary": .string(counter.summary),
        ]
      })
  }

  /// Ready, or degraded with why and since when, and what waits for better times.
  private func healthRow() -> JSONValue {
    let away = (0..<slotCount).filter { !machine.readySlots.contains($0) }
    let since = (0..<slotCount).map { statistics.value("redis.degraded_since", slot: $0) }.filter { $0 > 0 }.min()
    let queued = ["redis.queued", "redis.stalled"].reduce(UInt64(0)) { sum, name in
      CounterTable.position(of: name).map { sum &+ statistics.total(at: $0) } ?? sum
    }
    let writesKeys = CounterTable.position(of: "tls.key_log").map { statistics.total(at: $0) > 0 } ?? false
    var reasons =
      drain.map {
        [
          "clients are moved elsewhere, \(connectionsLeft) connections are left"
            + ($0.isOver ? "; the time is over" : "")
        ]
      } ?? []
    if !away.isEmpty { reasons.append("no worker serves slot \(away.map(String.init).joined(separator: ", "))") }
    if since != nil { reasons.append("Redis can't be used") }
    let state = drain == nil ? reasons.isEmpty ? "ready" : "degraded" : connectionsLeft == 0 ? "drained" : "draining"
    return [
      "state": .string(state), "since": (since ?? drain.map { UInt64($0.since) }).map { .count($0) } ?? .null,
      "reason": .text(reasons.isEmpty ? nil : reasons.joined(separator: "; ")), "queued": .count(queued),
      "workers_ready": .count(slotCount - away.count), "workers": .count(slotCount),
      "warning": .text(
        writesKeys ? "tls.key_log is on: the secrets of all TLS connections are written to a file" : nil),
    ]
  }

  // MARK: - Orders

  private func restart(_ values: [String: String]) -> Result<[JSONValue], ControlProblem> {
    let slots: [Int]
    switch (values["slot"], values["all"]) {
    case (nil, _?): slots = Array(0..<slotCount)
    case (let text?, nil):
      guard let slot = Int(text), slot >= 0, slot < slotCount else {
        return .failure(
          ControlProblem(.refused, "there is no slot \(text)", remedy: "worker.list shows the slots that there are"))
      }
      slots = [slot]
    default:
      return .failure(ControlProblem(.usage, "which worker?", remedy: "give the slot, or --all"))
    }
    machine.restartAsked(slots, System.monotonicNow, into: &actions)
    carryOut()
    return .success(slots.map { ["slot": .count($0), "state": .string(machine.stateName(of: $0))] })
  }

  private static func answer(to outcome: ReloadOutcome) -> Result<[JSONValue], ControlProblem> {
    switch outcome {
    case .unchanged: .success([["state": "nothing in the settings changed", "waiting": []]])
    case .inForce(let waiting):
      .success([
        [
          "state": .string(
            waiting.isEmpty
              ? "the settings are in force"
              : "in force, but for each worker from its next start on: \(waiting.joined(separator: ", "))"),
          "waiting": .array(waiting.map { .string($0) }),
        ]
      ])
    case .refused(let reason):
      .failure(
        ControlProblem(.refused, reason, remedy: "the old settings stay in force; mend the file and reload again"))
    }
  }

  private static func seconds(since milliseconds: Int64) -> Int64 {
    max(0, System.wallMilliseconds - milliseconds) / 1_000
  }
}
