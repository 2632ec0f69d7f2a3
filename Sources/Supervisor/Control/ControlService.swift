internal import Configuration
internal import Reactor
internal import Structures

/// The node as the control socket sees it.
protocol ControlledNode: AnyObject {
  /// How many slots it has.
  var slotCount: Int { get }
  /// Carries out what the supervisor itself can; `reply` gets the rows of the answer, at once or later.
  func answer(
    _ verb: ControlVerb, _ values: [String: String],
    _ reply: @escaping (Result<[JSONValue], ControlProblem>) -> Void)
  /// Asks the worker of a slot; false when none serves there, or it takes no more.
  func ask(slot: Int, id: UInt32, octets: [UInt8]) -> Bool
}

/// Answers what comes over the control socket: what the supervisor knows at once, the rest page by page from the workers. Never waits: a client that
/// doesn't read isn't given more, a worker that doesn't answer within ``workerTime`` is left out.
///
/// A request is one line `{"version":1,"verb":…,"arguments":{…}}`; its answer any number of lines `{"rows":[…]}`, then
/// `{"done":true,"missing":[slots that didn't answer]}` or `{"error":…,"remedy":…,"status":…}`.
final class ControlService: DeadlineOwner {
  /// The version of requests.
  static let version: Int64 = 1
  /// For one page.
  static let workerTime = Duration.seconds(5)

  private struct Inquiry {
    let client: ControlClient
    let verb: ControlVerb
    let values: [String: String]
    /// Slots to ask yet, the present one first.
    var slots: [Int]
    var cursor: UInt64 = 0
    var missing: [Int] = []
    /// When the present slot has taken too long; nil while it isn't asked because the client is full.
    var deadline: Instant?
  }

  private let loop: EventLoop
  private unowned let node: any ControlledNode
  private var inquiries: [UInt32: Inquiry] = [:]
  private var lastID: UInt32 = 0
  private var deadline: DeadlineID?

  init(loop: EventLoop, node: any ControlledNode) {
    self.loop = loop
    self.node = node
    deadline = loop.addDeadline(self)
  }

  // MARK: - What happens

  /// A client asks.
  func received(_ client: ControlClient, _ line: [UInt8]) {
    switch read(line) {
    case .failure(let problem): refuse(client, problem)
    case .success(let (verb, values)): begin(client, verb, values)
    }
  }

  /// A client can take more.
  func drained(_ client: ControlClient) {
    for (id, inquiry) in inquiries where inquiry.client === client && inquiry.deadline == nil { ask(id) }
  }

  /// A client is gone.
  func closed(_ client: ControlClient) {
    inquiries = inquiries.filter { $0.value.client !== client }
  }

  /// A worker answers.
  func answered(slot: Int, id: UInt32, octets: [UInt8]) {
    guard var inquiry = inquiries[id], inquiry.slots.first == slot, inquiry.deadline != nil else { return }
    inquiry.deadline = nil
    switch ControlAnswer(octets) {
    case .rows(let json, let next):
      if !json.isEmpty { inquiry.client.send(Array("{\"rows\":[".utf8) + json + Array("]}".utf8)) }
      // Sending may have shown that the client is gone.
      guard inquiry.client.isOpen else { return }
      inquiry.cursor = next ?? 0
      if next == nil { inquiry.slots.removeFirst() }
      inquiries[id] = inquiry
      ask(id)
    case .failed(let problem): end(id, problem)
    case nil: leaveOut(id, inquiry)
    }
  }

  /// The worker of a slot has ended.
  func workerEnded(slot: Int) {
    for (id, inquiry) in inquiries where inquiry.slots.first == slot && inquiry.deadline != nil {
      leaveOut(id, inquiry)
    }
  }

  func deadlinePassed(_: DeadlineID) {
    for (id, inquiry) in inquiries {
      if let due = inquiry.deadline, due <= loop.now { leaveOut(id, inquiry) }
    }
    schedule()
  }

  // MARK: - Steps

  private func read(_ line: [UInt8]) -> Result<(ControlVerb, [String: String]), ControlProblem> {
    guard let request = JSONValue(reading: line), let name = request["verb"]?.text else {
      return .failure(ControlProblem(.usage, "the request is no JSON object with a verb"))
    }
    guard request["version"]?.integer == Self.version else {
      return .failure(
        ControlProblem(.usage, "the node speaks version \(Self.version)", remedy: "use the apus that runs the node"))
    }
    guard let verb = ControlVerbs.find(name) else { return .failure(ControlVerbs.unknown(name)) }
    var values: [String: String] = [:]
    if case .object(let members)? = request["arguments"] {
      for member in members {
        guard let text = member.value.text, verb.parameters.contains(where: { $0.name == member.name }) else {
          return .failure(ControlProblem(.usage, "\(name) knows no \(member.name)", remedy: verb.usage))
        }
        values[member.name] = text
      }
    }
    for parameter in verb.parameters where parameter.form == .required && values[parameter.name] == nil {
      return .failure(ControlProblem(.usage, "\(parameter.placeholder) is missing", remedy: verb.usage))
    }
    return .success((verb, values))
  }

  private func begin(_ client: ControlClient, _ verb: ControlVerb, _ values: [String: String]) {
    switch verb.source {
    case .supervisor:
      node.answer(verb, values) { [weak self, weak client] result in
        guard let self, let client else { return }
        switch result {
        case .failure(let problem): refuse(client, problem)
        case .success(let rows): send(rows, client)
        }
      }
    case .anyWorker, .everyWorker: open(client, verb, values, slots: Array(0..<node.slotCount))
    case .workerOfID:
      guard let slot = values["id"]?.split(separator: ".").first.flatMap({ Int($0) }), slot >= 0, slot < node.slotCount
      else {
        return refuse(
          client, ControlProblem(.refused, "there is no such connection", remedy: "tls.list shows those there are"))
      }
      open(client, verb, values, slots: [slot])
    }
  }

  /// One line for each part, so that no line grows without bound.
  private func send(_ rows: [JSONValue], _ client: ControlClient) {
    for start in stride(from: 0, to: rows.count, by: 100) {
      let part = Array(rows[start..<min(start + 100, rows.count)])
      client.send(JSONValue.object([.init("rows", .array(part))]).octets)
    }
    finish(client, missing: [])
  }

  private func open(_ client: ControlClient, _ verb: ControlVerb, _ values: [String: String], slots: [Int]) {
    repeat { lastID &+= 1 } while inquiries[lastID] != nil
    inquiries[lastID] = Inquiry(client: client, verb: verb, values: values, slots: slots)
    ask(lastID)
  }

  /// Asks for the next page, if there is one and the client takes it.
  private func ask(_ id: UInt32) {
    while var inquiry = inquiries[id] {
      if inquiry.client.isFull { return }
      guard let slot = inquiry.slots.first else { return end(id, nil) }
      let question = ControlQuestion(verb: inquiry.verb.name, values: inquiry.values, cursor: inquiry.cursor)
      if node.ask(slot: slot, id: id, octets: question.octets) {
        // One that answers is enough.
        if inquiry.verb.source == .anyWorker { inquiry.slots = [slot] }
        inquiry.deadline = loop.now + Self.workerTime
        inquiries[id] = inquiry
        return schedule()
      }
      leaveOut(id, inquiry, goesOn: false)
    }
  }

  /// Goes on without the present slot.
  private func leaveOut(_ id: UInt32, _ inquiry: Inquiry, goesOn: Bool = true) {
    var inquiry = inquiry
    inquiry.missing.append(inquiry.slots.removeFirst())
    inquiry.cursor = 0
    inquiry.deadline = nil
    inquiries[id] = inquiry
    if inquiry.slots.isEmpty, inquiry.verb.source != .everyWorker {
      return end(
        id,
        ControlProblem(
          .unreachable, "no worker answered that could", remedy: "ask again; worker.list shows how the workers are"))
    }
    if goesOn { ask(id) }
  }

  private func end(_ id: UInt32, _ problem: ControlProblem?) {
    guard let inquiry = inquiries.removeValue(forKey: id) else { return }
    if let problem {
      refuse(inquiry.client, problem)
    } else {
      finish(inquiry.client, missing: inquiry.verb.source == .everyWorker ? inquiry.missing : [])
    }
  }

  private func refuse(_ client: ControlClient, _ problem: ControlProblem) {
    let line: JSONValue = [
      "error": .string(problem.problem), "remedy": .string(problem.remedy), "status": .count(problem.status.rawValue),
    ]
    client.send(line.octets)
    client.finish()
  }

  private func finish(_ client: ControlClient, missing: [Int]) {
    let line: JSONValue = ["done": .bool(true), "missing": .array(missing.map { .count($0) })]
    client.send(line.octets)
    client.finish()
  }

  private func schedule() {
    guard let deadline else { return }
    if let next = inquiries.values.compactMap(\.deadline).min() {
      loop.schedule(deadline, at: next)
    } else {
      loop.cancel(deadline)
    }
  }
}
