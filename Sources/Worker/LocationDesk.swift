import SIPServer
import Structures

/// Asks the location service for the core and brings the answers as later inputs.
///
/// The service is the in-memory model; its answers are kept until the loop comes round, so that the core never gets one while it asks.
final class LocationDesk {
  /// An answer on its way to the core.
  enum Answer {
    case bindings(query: UInt64, BindingSet?)
    case outcome(query: UInt64, UpdateOutcome)
  }

  private var location: InMemoryLocation
  private var waiting: [Answer] = []
  private var taken: [Answer] = []

  /// A desk with an empty location that takes so many bindings.
  init(unixSeconds: Int64, maximum: Int) {
    location = InMemoryLocation(now: unixSeconds, maximum: maximum)
  }

  /// Whether answers wait.
  var hasAnswers: Bool { !waiting.isEmpty }
  /// How many bindings are stored, live or not swept yet.
  var bindingCount: Int { location.bindingCount }

  /// Asks everything that the core ordered.
  func ask(_ actions: borrowing ServerActions, at unixSeconds: Int64) {
    for question in actions.questions {
      switch question {
      case .lookup(let query, let range):
        waiting.append(
          .bindings(query: query, location.lookup(aor: actions.keys.span.extracting(range), now: unixSeconds)))
      case .update(let query, let update):
        waiting.append(.outcome(query: query, location.update(update)))
      case .remove(let aor, let flow):
        _ = location.remove(aor: aor.span, flow: flow)
      }
    }
  }

  /// The answers that have come; valid until the next call.
  func takeAnswers() -> [Answer] {
    swap(&waiting, &taken)
    waiting.removeAll(keepingCapacity: true)
    return taken
  }

  /// Drops what has expired, some at a time.
  func sweep(at unixSeconds: Int64) {
    _ = location.removeExpired(unixSeconds)
  }
}
