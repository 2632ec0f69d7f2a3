import Configuration
import Logging
import Reactor
import Structures
import TLSEngine
import Transport

/// Looks after revoked certificates in one worker: peers that come and that are there, and what is sent along with our own.
/// The lists are in the contexts; the status of peers' certificates is found out by way of the admin process.
final class RevocationDesk: PeerAuthority {
  /// What it did and has.
  struct Figures {
    /// When the first of the lists expires, in seconds since 1970; 0 without any.
    var nextUpdate: Int64 = 0
    /// Questions to OCSP responders.
    var asked: UInt64 = 0
    /// Of these, those without an answer that counts.
    var failed: UInt64 = 0
    /// Certificates of ours with a response.
    var stapled = 0
  }

  /// A connection whose peer isn't judged yet.
  private struct Waiting {
    let flow: Flow
    let chain: PeerChain
  }

  /// Shared by all contexts of the worker.
  let issuers = IssuerTable()
  private let transport: TransportLayer
  private let admin: AdminChannel
  private let staples: StapleKeeper
  private let ages: ListAges
  private let rechecks: StatusRechecks
  private let loop: EventLoop
  private var log: Logger
  private var allowance: LogAllowance
  private(set) var contexts: TLSContexts?
  /// The last contexts of profiles that went away: where a listener or a connection has them they serve on.
  private var gone: [PeerProfile: TLSContext] = [:]
  private var book = StatusBook()
  /// Who waits for the answer to a question that was sent; nobody after a recheck.
  private var waiting: [[UInt8]: [Waiting]] = [:]
  private var counted = Figures()

  /// `admin`: the socket of the admin process.
  init(transport: TransportLayer, admin path: String, slot: UInt16, loop: EventLoop, log: Logger) {
    self.transport = transport
    self.loop = loop
    self.log = log
    allowance = LogAllowance(loop.now)
    admin = AdminChannel(path: path, loop: loop)
    // One worker of the node writes what is the same for all.
    staples = StapleKeeper(admin: admin, loop: loop, log: log, speaksForNode: slot == 0)
    ages = ListAges(loop: loop, log: log, speaksForNode: slot == 0)
    rechecks = StatusRechecks(loop: loop)
    rechecks.desk = self
  }

  // MARK: Inputs

  /// These contexts are in force now: who came in under others and is revoked by their lists has to go.
  func adopt(_ contexts: TLSContexts) {
    for context in self.contexts?.all ?? [] { gone[PeerProfile(context)] = context }
    for context in contexts.all { gone[PeerProfile(context)] = nil }
    self.contexts = contexts
    transport.endConnections { self.context(of: $0)?.revocation(of: $0) }
    issuers.keepLists(of: Set(contexts.lists.map(\.file)))
    ages.adopt(contexts.lists)
    staples.adopt((Array(contexts.server.values) + Array(gone.values)).flatMap(\.stapled))
    rechecks.adopt(contexts)
  }

  /// Writes lines of this level and above from now on.
  func setLevel(_ level: Logger.Level) {
    log.logLevel = level
    staples.log.logLevel = level
    ages.log.logLevel = level
  }

  func judge(_ chain: PeerChain, staple: [UInt8], of flow: Flow) -> PeerJudgement {
    guard let context = context(of: chain) else { return .admitted }
    if let error = context.revocation(of: chain) { return .refused(error) }
    if let judgement = judge(chain, staple) { return judgement }
    if context.ocsp.mode == .off { return .admitted }
    guard let query = chain.query else {
      return judgement(of: chain, .unknown("the certificate names no responder"), flow)
    }
    if let known = book.status(of: query.request, at: System.wallSeconds) { return judgement(of: chain, known, flow) }
    let isAsked = waiting[query.request] != nil
    waiting[query.request, default: []].append(Waiting(flow: flow, chain: chain))
    if isAsked { return .open }
    if let problem = ask(query, within: context.ocsp.limit) {
      waiting[query.request] = nil
      counted.failed += 1
      return judgement(of: chain, book.noteFailure(problem, of: query.request, at: System.wallSeconds), flow)
    }
    return .open
  }

  /// Asks again about peers that are connected; false: not now.
  func recheck(_ query: OCSPQuery, within limit: Duration) -> Bool {
    if waiting[query.request] != nil { return true }
    waiting[query.request] = []
    if ask(query, within: limit) == nil { return true }
    waiting[query.request] = nil
    return false
  }

  // MARK: Queries

  /// What it did and has.
  var figures: Figures {
    var figures = counted
    figures.nextUpdate = ages.nextUpdate
    figures.stapled = staples.count
    return figures
  }

  /// Whether a certificate of ours lacks what it demands to be sent along.
  var lacksStaples: Bool { staples.lacksDemanded }

  /// The connections whose peers have a certificate.
  var peers: [(flow: Flow, chain: PeerChain)] { transport.peerChains }

  // MARK: Status

  private func context(of chain: PeerChain) -> TLSContext? { contexts?.context(of: chain) ?? gone[PeerProfile(chain)] }

  /// What follows from the response that a server sent along; nil: it doesn't settle anything.
  private func judge(_ chain: PeerChain, _ staple: [UInt8]) -> PeerJudgement? {
    var problem = "none came"
    if !staple.isEmpty, let answer = chain.read(staple) {
      switch answer.status {
      case .good, .revoked:
        let known = chain.query.map { book.note(answer, to: $0.request, at: System.wallSeconds) }
        let isRevoked = answer.status == .revoked || known == .revoked
        return isRevoked ? .refused(TLSError(.revoked, "certificate revoked: \(chain)")) : .admitted
      // Anybody can send along what settles nothing: then the responder is asked.
      case .unknown: problem = "its responder doesn't know it"
      case .useless(let reason): problem = reason
      }
    }
    // RFC 7633: a certificate that demands a response is worth nothing without.
    guard chain.demandsStaple else { return nil }
    return .refused(TLSError(.ocspUnavailable, "certificate demands a stapled answer: \(problem)"))
  }

  private func ask(_ query: OCSPQuery, within limit: Duration) -> String? {
    counted.asked += 1
    return admin.post(query.request, mediaType: OCSPQuery.mediaType, to: query.responder, within: limit) {
      [weak self] outcome in self?.answered(query, outcome)
    }
  }

  private func answered(_ query: OCSPQuery, _ outcome: AdminChannel.Outcome) {
    let now = System.wallSeconds
    let status =
      switch outcome {
      case .body(let octets): book.note(query.read(octets), to: query.request, at: now)
      case .failure(let reason): book.noteFailure(reason, of: query.request, at: now)
      }
    if case .unknown = status { counted.failed += 1 }
    for one in waiting.removeValue(forKey: query.request) ?? [] {
      guard case .stream(let stream) = one.flow.id else { continue }
      transport.settle(stream.connection, refusal: refusal(of: one.chain, status, one.flow))
    }
    if status == .revoked {
      transport.endConnections { chain in
        chain.query?.request == query.request ? TLSError(.revoked, "certificate revoked: \(chain)") : nil
      }
    }
    rechecks.work()
  }

  private func judgement(of chain: PeerChain, _ status: StatusBook.Status, _ flow: Flow) -> PeerJudgement {
    refusal(of: chain, status, flow).map { .refused($0) } ?? .admitted
  }

  /// Why a peer of whose certificate this is known may not come in; nil: it may.
  private func refusal(of chain: PeerChain, _ status: StatusBook.Status, _ flow: Flow) -> TLSError? {
    switch status {
    case .good: return nil
    case .revoked: return TLSError(.revoked, "certificate revoked: \(chain)")
    case .unknown(let reason):
      if context(of: chain)?.ocsp.mode == .hard {
        return TLSError(.ocspUnavailable, "status of the certificate can't be found out: \(reason)")
      }
      if allowance.take(loop.now) {
        let verb = chain.role == .server ? "tls_accept: peer" : "tls_connect: peer"
        log.warning(
          "\(verb) \(flow.remote) on \(flow.local) comes in though the status of its certificate can't be found out: \(reason)"
        )
      }
      return nil
    }
  }
}

/// A profile of one of the two roles.
private struct PeerProfile: Hashable {
  let isServer: Bool
  let name: String

  init(_ context: TLSContext) { (isServer, name) = (context.role == .server, context.profile) }

  init(_ chain: PeerChain) { (isServer, name) = (chain.role == .server, chain.profile) }
}

extension TLSContexts {
  /// The contexts of all profiles.
  var all: [TLSContext] { Array(server.values) + Array(client.values) }

  /// The context that has the profile of a peer now.
  func context(of chain: PeerChain) -> TLSContext? {
    chain.role == .server ? server[chain.profile] : client[chain.profile]
  }

  /// The lists of all profiles.
  var lists: [RevocationList] { all.flatMap(\.lists) }
}
