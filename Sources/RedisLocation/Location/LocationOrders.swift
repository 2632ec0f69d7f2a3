import SIPServer
import Structures

/// What ``LocationMachine`` orders. The caller owns one, carries everything out and empties it.
struct LocationOrders {
  /// A command for Redis. Each is answered by one reply that names its token.
  enum Command: Equatable {
    /// What is stored of an address of record.
    case read(aor: [UInt8])
    /// Changes what is stored, if it is of the expected version (``CompareAndSet``).
    case write(CompareAndSet)
    /// Claims a key for some seconds, if nobody has.
    case claim(key: [UInt8], seconds: Int)
    /// What is stored of a user.
    case user(key: [UInt8])
    /// Names the era of the data set, if it has none.
    case beginEra(UInt64)
    /// The era of the data set.
    case readEra
    /// Gives an epoch of ticket keys its salt, if it has none.
    case beginSalt(epoch: UInt64, salt: [UInt8], seconds: Int)
    /// The salt of an epoch of ticket keys.
    case readSalt(epoch: UInt64)
    /// Says that this worker lives.
    case lease
  }

  /// Commands with their tokens, in order.
  var commands: [(token: UInt64, command: Command)] = []
  /// What the core asked.
  var answers: [LocationAnswer] = []
  /// Questions to the other workers.
  var inquiries: [(question: UInt64, aor: [UInt8])] = []
  /// Salts of ticket keys that became known.
  var salts: [(epoch: UInt64, salt: [UInt8])] = []

  var isEmpty: Bool { commands.isEmpty && answers.isEmpty && inquiries.isEmpty && salts.isEmpty }

  mutating func removeAll() {
    commands.clear()
    answers.clear()
    inquiries.clear()
    salts.clear()
  }
}

/// A change of what is stored of one address of record, made only if that is still of the expected version.
struct CompareAndSet: Equatable {
  let aor: [UInt8]
  /// The version that must be there; 0: nothing may be there.
  let expected: UInt64
  /// The version that is there afterwards, which no other state ever has; told to all who subscribed.
  let version: UInt64
  /// Eight octets of version and the encoded bindings; empty removes the key.
  let value: [UInt8]
  /// For how long the key lives, in seconds.
  let seconds: Int64
  /// Whether all workers are told.
  let isPublished: Bool
}

/// What Redis replied.
enum LocationReply: Equatable {
  /// It was done.
  case done
  /// What is stored; nil when nothing is. To a write: what is there instead of what was expected.
  case value([UInt8]?)
  /// The script must be loaded first; the caller has seen to it.
  case scriptMissing
  /// No reply came in time, or one that says that it can't be done now.
  case failed
}

/// The present by both clocks.
struct Moment {
  var instant: Instant
  var unixSeconds: Int64

  /// Seconds of the monotonic clock, never 0.
  var seconds: UInt32 { UInt32(truncatingIfNeeded: instant.nanoseconds / 1_000_000_000 + 1) }
}
