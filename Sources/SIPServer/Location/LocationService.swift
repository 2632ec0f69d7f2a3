import Structures

/// Where the bindings of all addresses of record are kept. It is asked by what the core orders and answers later: ``takeAnswers()`` brings inputs of
/// the core, and never does an answer come while a question is asked.
///
/// Owned by one thread, that of its worker. Each question that names a query is answered exactly once.
public protocol LocationService: AnyObject {
  /// Asks everything that the core ordered; `unixSeconds` is the present.
  func ask(_ actions: borrowing ServerActions, at unixSeconds: Int64)
  /// Whether answers wait.
  var hasAnswers: Bool { get }
  /// The answers that have come, in the order in which they are to be told to the core.
  func takeAnswers() -> [LocationAnswer]
  /// Drops what has expired, some at a time; to be called every second or so.
  func sweep(at unixSeconds: Int64)
  /// How many bindings this worker knows of, live or not swept yet.
  var bindingCount: Int { get }

  /// How it is and what it holds.
  var health: LocationHealth { get }
  /// Whether something that was answered for has yet to be written to where it outlives this worker.
  var hasUnwritten: Bool { get }
  /// Writes that at once.
  func flush()

  /// Whoever should hold a flow says that it is no more: what is registered over it goes, where the location still has it over this flow.
  func flowGone(_ flow: StreamFlow)

  /// Asks the other workers; nil when there is nobody to ask.
  var peers: (any LocationPeers)? { get set }
  /// Another worker can't reach the location and asks what was registered over this one: encoded bindings of an address of record
  /// (`BindingCodec`); empty when there are none.
  func bindings(heldFor aor: Span<UInt8>, at unixSeconds: Int64) -> [UInt8]
  /// Another worker answered a question of ``LocationPeers/whereIs(_:question:)``. The octets are whatever it sent; empty when it has nothing.
  func peerAnswered(_ question: UInt64, _ octets: Span<UInt8>)
}

extension LocationService {
  /// Nothing is wrong with a location that can't be cut off, and nothing waits in it.
  public var health: LocationHealth { LocationHealth() }
  /// No: what is answered for is as safe as it gets.
  public var hasUnwritten: Bool { false }
  /// Nothing: there is nothing to write.
  public func flush() {}
}

/// The other workers, as the location asks them while it can't reach what it is kept in.
public protocol LocationPeers: AnyObject {
  /// Asks all other workers which bindings of an address of record came in over them. Each answer, if any, comes by
  /// ``LocationService/peerAnswered(_:_:)``; after 100 ms they are not waited for. Returns how many were asked.
  func whereIs(_ aor: Span<UInt8>, question: UInt64) -> Int
}

/// What a ``LocationService`` answers: an input of the core.
public enum LocationAnswer: Sendable {
  /// To ``ServerActions/Question/lookup(query:key:)``: the bindings, nil when there are none; see ``ServerCore/located(_:_:at:actions:)``.
  case bindings(query: UInt64, BindingSet?)
  /// To ``ServerActions/Question/update(query:_:)``; see ``ServerCore/registered(_:_:at:actions:)``.
  case outcome(query: UInt64, UpdateOutcome)
  /// To ``ServerActions/Question/claim(query:key:)``; see ``ServerCore/claimed(_:_:at:actions:)``.
  case claim(query: UInt64, ClaimOutcome)
  /// To ``ServerActions/Question/user(query:key:)``; see ``ServerCore/userFound(_:_:at:actions:)``.
  case user(query: UInt64, UserAnswer)

  /// The query that is answered.
  public var query: UInt64 {
    switch self {
    case .bindings(let query, _), .outcome(let query, _), .claim(let query, _), .user(let query, _): query
    }
  }
}
