import Structures

/// The model as a service: every question is answered at once, and the answer waits until it is taken.
public final class InMemoryLocationService: LocationService {
  private var location: InMemoryLocation
  private let claims = InMemoryClaims()
  /// The users by `user@domain`.
  public var users: [[UInt8]: UserRecord] = [:]
  private var waiting: [LocationAnswer] = []
  private var taken: [LocationAnswer] = []
  /// Nobody: what the model doesn't know, no worker knows.
  public var peers: (any LocationPeers)?

  /// An empty location that takes so many bindings.
  public init(unixSeconds: Int64, maximum: Int = .max) {
    location = InMemoryLocation(now: unixSeconds, maximum: maximum)
  }

  /// See ``LocationService``.
  public var hasAnswers: Bool { !waiting.isEmpty }
  /// See ``LocationService``.
  public var bindingCount: Int { location.bindingCount }

  /// Answers everything that the core ordered; the answers wait.
  public func ask(_ actions: borrowing ServerActions, at unixSeconds: Int64) {
    for question in actions.questions {
      switch question {
      case .lookup(let query, let range):
        waiting.append(
          .bindings(query: query, location.lookup(aor: actions.keys.span.extracting(range), now: unixSeconds)))
      case .update(let query, let update):
        waiting.append(.outcome(query: query, location.update(update)))
      case .remove(let aor, let flow):
        _ = location.remove(aor: aor.span, flow: flow)
      case .claim(let query, let range):
        let outcome = claims.claim(actions.keys.span.extracting(range), now: unixSeconds)
        waiting.append(.claim(query: query, outcome))
      case .noteClaim(let range):
        _ = claims.claim(actions.keys.span.extracting(range), now: unixSeconds)
      case .user(let query, let range):
        waiting.append(.user(query: query, users[Array(actions.keys[range])].map { .found($0) } ?? .none))
      }
    }
  }

  /// See ``LocationService``; valid until the next call.
  public func takeAnswers() -> [LocationAnswer] {
    swap(&waiting, &taken)
    waiting.removeAll(keepingCapacity: true)
    return taken
  }

  /// See ``LocationService``.
  public func sweep(at unixSeconds: Int64) {
    _ = location.removeExpired(unixSeconds)
    claims.removeExpired(unixSeconds)
  }

  /// Nothing: the core itself removes what hangs on its flows.
  public func flowGone(_: StreamFlow) {}

  /// Nothing: there are no other workers.
  public func bindings(heldFor _: Span<UInt8>, at _: Int64) -> [UInt8] { [] }

  /// Nothing: nobody was asked.
  public func peerAnswered(_: UInt64, _: Span<UInt8>) {}
}
