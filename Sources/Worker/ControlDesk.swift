import Configuration
import Reactor
import SIPServer
import Structures
import Transport

/// Answers the questions of administrators that the supervisor hands on. What is long is answered in pages, one for each question, so
/// that no turn of the loop is longer for it: a page ends after ``pageTime`` or when it is full, whichever comes first.
final class ControlDesk {
  /// Rows of a page.
  static let pageRows = 200
  /// Bytes of a page, after which no row is begun: the longest row fits behind it.
  static let pageBytes = 32 << 10
  /// Work for a page.
  static let pageTime = Duration.milliseconds(1)
  /// Longer texts are cut in rows, bytes.
  static let textLimit = 2_048
  /// How many long answers may be under way.
  private static let maximumWalks = 8
  /// How many questions may wait for the location service.
  private static let maximumWaiting = 64
  /// The queries of this desk have this index, which no table reaches, so they are told from those of the core.
  private static let queryIndex = UInt32.max

  /// What is done with the answer of the location service.
  enum Purpose {
    case lookup
    case owner
    /// Find the contact, then remove it.
    case remove(contact: [UInt8])
    case change
  }

  struct Waiting {
    let id: UInt32
    let aor: [UInt8]
    var purpose: Purpose
    let update: RegistrationUpdate?
  }

  unowned let node: WorkerNode
  let nodeName: String
  private let send: (UInt32, ControlAnswer) -> Void
  private var walks: [(id: UInt32, keys: [UInt64])] = []
  private var waiting: [UInt32: Waiting] = [:]
  private var lastQuery: UInt32 = 0

  /// A desk; `send` carries an answer to the supervisor.
  init(node: WorkerNode, nodeName: String, send: @escaping (UInt32, ControlAnswer) -> Void) {
    self.node = node
    self.nodeName = nodeName
    self.send = send
  }

  // MARK: What happens

  /// The supervisor hands a question on.
  func asked(_ id: UInt32, _ octets: [UInt8]) {
    guard let question = ControlQuestion(octets) else {
      return refuse(id, .usage, "the worker is of another version", "restart the node")
    }
    switch question.verb {
    case "ul.dump": page(id, question.cursor, { node.core.owned.positions.map(UInt64.init) }, bindingRows)
    case "tls.list": page(id, question.cursor, { node.transport.connectionIDs }, connectionRows)
    case "tls.info" where question.values["id"] == nil:
      let now = System.wallSeconds
      answer(id, node.profileCertificates.entries.map { ControlRows.profile($0, at: now) })
    case "tls.info", "tls.kill": answerConnection(id, question)
    case "ul.lookup", "ul.add", "ul.rm", "cluster.owner": askLocation(id, question)
    default: refuse(id, .usage, "the worker does not know \(question.verb)", "restart the node")
    }
  }

  /// Whether a query of the location service is this desk's.
  static func isOwn(_ query: UInt64) -> Bool { SlotHandle(word: query).index == queryIndex }

  /// The location service answers a query of this desk.
  func answered(_ answer: LocationAnswer) {
    switch answer {
    case .bindings(let query, let set):
      guard let waiting = take(query) else { return }
      located(waiting, set)
    case .outcome(let query, let outcome):
      guard let waiting = take(query) else { return }
      changed(waiting, outcome)
    case .claim, .user: break
    }
  }

  // MARK: Pages

  /// Answers with the rows of as many keys as a page takes. All keys are found at the first page; what comes later isn't in the answer.
  private func page(
    _ id: UInt32, _ cursor: UInt64, _ keys: () -> [UInt64], _ rows: (UInt64) -> [JSONValue]
  ) {
    if cursor == 0 {
      walks.removeAll { $0.id == id }
      if walks.count >= Self.maximumWalks { walks.removeFirst() }
      walks.append((id, keys()))
    }
    guard let walk = walks.firstIndex(where: { $0.id == id }), cursor <= UInt64(walks[walk].keys.count) else {
      return refuse(id, .refused, "too many long answers were under way", "ask again")
    }
    let start = System.monotonicNow
    var json: [UInt8] = []
    var (position, count) = (Int(cursor), 0)
    while position < walks[walk].keys.count, count < Self.pageRows, json.count < Self.pageBytes {
      for row in rows(walks[walk].keys[position]) {
        if !json.isEmpty { json.append(UInt8(ascii: ",")) }
        row.append(to: &json)
        count += 1
      }
      position += 1
      if System.monotonicNow - start >= Self.pageTime { break }
    }
    let isLast = position == walks[walk].keys.count
    if isLast { walks.remove(at: walk) }
    send(id, .rows(json: json, next: isLast ? nil : UInt64(position)))
  }

  private func bindingRows(_ key: UInt64) -> [JSONValue] {
    let position = UInt32(truncatingIfNeeded: key)
    let now = System.wallSeconds
    guard let aor = node.core.owned.aor(at: position) else { return [] }
    return node.core.owned.ownSet(at: position).live(at: now).bindings.map { ControlRows.binding($0, of: aor, now) }
  }

  private func connectionRows(_ key: UInt64) -> [JSONValue] {
    guard let report = node.transport.report(of: key), report.flow.transport == .tls else { return [] }
    return [ControlRows.connection(report, user: node.core.user(over: report.flow), at: node.loop.now)]
  }

  // MARK: One connection

  private func answerConnection(_ id: UInt32, _ question: ControlQuestion) {
    guard let number = ControlRows.connectionID(question.values["id"] ?? "", slot: node.transport.identity.slot),
      let report = node.transport.report(of: number)
    else {
      return refuse(id, .refused, "there is no such connection", "tls.list shows those that there are")
    }
    if question.verb == "tls.kill" {
      node.transport.close(report.flow.id, afterFlush: true)
      return answer(id, [ControlRows.closed(report)])
    }
    let row = ControlRows.connectionInFull(
      report, user: node.core.user(over: report.flow), proven: node.core.namesProven(over: report.flow),
      at: node.loop.now)
    answer(id, [row])
  }

  // MARK: The location

  private func askLocation(_ id: UInt32, _ question: ControlQuestion) {
    let text = Array((question.values["aor"] ?? "").utf8)
    guard let aor = node.core.addressOfRecord(in: text.span) else {
      return refuse(
        id, .refused, "'\(question.values["aor"] ?? "")' is no address of record of this node",
        "write user@domain, with a domain that the node serves")
    }
    switch question.verb {
    case "ul.lookup": ask(Waiting(id: id, aor: aor, purpose: .lookup, update: nil))
    case "cluster.owner": ask(Waiting(id: id, aor: aor, purpose: .owner, update: nil))
    case "ul.add": add(id, aor, question.values)
    default:
      guard let contact = question.values["contact"] else {
        return change(id, aor, .removeAll)
      }
      ask(Waiting(id: id, aor: aor, purpose: .remove(contact: Array(contact.utf8)), update: nil))
    }
  }

  private func add(_ id: UInt32, _ aor: [UInt8], _ values: [String: String]) {
    let contact = Array((values["contact"] ?? "").utf8)
    guard node.core.isContact(contact.span) else {
      return refuse(id, .usage, "'\(values["contact"] ?? "")' is no SIP URI", "write sip:user@host:port")
    }
    guard let seconds = Int64(values["expires"] ?? "3600"), (1...2_592_000).contains(seconds) else {
      return refuse(id, .usage, "--expires is no number of seconds from 1 to 2592000", "")
    }
    var q: UInt16?
    if let text = values["q"] {
      guard let value = Double(text), (0...1).contains(value) else {
        return refuse(id, .usage, "--q is no number from 0 to 1", "")
      }
      q = UInt16(value * 1_000 + 0.5)
    }
    let contacts = [
      RegistrationUpdate.ContactChange(uri: contact, q: q, duration: seconds, isReachedByFlow: false)
    ]
    change(id, aor, .change(contacts), path: Array((values["path"] ?? "").utf8))
  }

  private func change(
    _ id: UInt32, _ aor: [UInt8], _ operation: RegistrationUpdate.Operation, path: [UInt8] = []
  ) {
    let update = node.core.administrativeUpdate(
      of: aor, operation, path: path, node: node.transport.identity.node, now: System.wallSeconds)
    ask(Waiting(id: id, aor: aor, purpose: .change, update: update))
  }

  private func ask(_ question: Waiting) {
    guard waiting.count < Self.maximumWaiting else {
      return refuse(question.id, .refused, "too many questions wait for the location", "ask again later")
    }
    lastQuery &+= 1
    waiting[lastQuery] = question
    let query = SlotHandle(index: Self.queryIndex, generation: lastQuery).word
    var actions = ServerActions()
    if let update = question.update {
      actions.questions.append(.update(query: query, update))
    } else {
      actions.keys = question.aor
      actions.questions.append(.lookup(query: query, key: 0..<question.aor.count))
    }
    node.location.ask(actions, at: System.wallSeconds)
    node.loop.turnAgain()
  }

  private func take(_ query: UInt64) -> Waiting? {
    waiting.removeValue(forKey: SlotHandle(word: query).generation)
  }

  private func located(_ question: Waiting, _ set: BindingSet?) {
    let now = System.wallSeconds
    let bindings = set?.live(at: now).bindings ?? []
    guard !bindings.isEmpty else {
      return refuse(question.id, .refused, "\(question.aor.span.text) has no contact", "")
    }
    switch question.purpose {
    case .lookup: answer(question.id, bindings.map { ControlRows.binding($0, of: question.aor, now) })
    case .owner:
      answer(
        question.id, bindings.map { ControlRows.owner($0, of: question.aor, node.transport.identity.node, nodeName) })
    case .remove(let contact):
      // A contact with instance and reg-id is known by these, not by its URI.
      let changes = bindings.filter { $0.uri == contact }.map {
        RegistrationUpdate.ContactChange(
          uri: $0.uri, duration: 0, instance: $0.instance, regID: $0.regID, isReachedByFlow: $0.isReachedByFlow)
      }
      guard !changes.isEmpty else {
        return refuse(
          question.id, .refused, "\(question.aor.span.text) has no contact \(contact.span.text)",
          "ul.lookup shows its contacts")
      }
      change(question.id, question.aor, .change(changes))
    case .change: break
    }
  }

  private func changed(_ question: Waiting, _ outcome: UpdateOutcome) {
    let now = System.wallSeconds
    switch outcome {
    case .done(let set, _):
      if let update = question.update, !node.core.owned.isKept { node.core.owned.note(update, set) }
      answer(question.id, set.live(at: now).bindings.map { ControlRows.binding($0, of: question.aor, now) })
    case .tooManyContacts:
      refuse(question.id, .refused, "the address of record has as many contacts as it may", "registrar.max_contacts")
    case .full: refuse(question.id, .refused, "the node has as many contacts as it may", "limits.bindings")
    case .outOfOrder: refuse(question.id, .refused, "the client wrote at the same moment", "ask again")
    case .unavailable: refuse(question.id, .unreachable, "the location can't be reached", "health tells since when")
    }
  }

  // MARK: Answers

  private func answer(_ id: UInt32, _ rows: [JSONValue]) {
    var json: [UInt8] = []
    for row in rows where json.count < Self.pageBytes {
      if !json.isEmpty { json.append(UInt8(ascii: ",")) }
      row.append(to: &json)
    }
    send(id, .rows(json: json, next: nil))
  }

  private func refuse(_ id: UInt32, _ status: ControlProblem.Status, _ problem: String, _ remedy: String) {
    send(id, .failed(ControlProblem(status, problem, remedy: remedy)))
  }
}
