import Configuration
import Logging
import Reactor
import RedisLocation
import SIPServer
import Structures
import TLSEngine

/// Where this worker's registrations are kept, and how it ends without losing any.
extension WorkerNode {
  /// How long the end of the worker waits for what was answered for but isn't written yet.
  private static let writingTime = Duration.milliseconds(500)

  /// Redis, where the worker was told of one; else its own memory.
  static func makeLocation(
    _ configuration: NodeConfiguration, _ arguments: WorkerArguments, core: ServerCore, hashing: any Hashing,
    tickets: TicketKeyRing, loop: EventLoop, log: Logger
  ) throws -> any LocationService {
    guard let redis = RedisSettings(configuration, arguments: arguments) else {
      return InMemoryLocationService(unixSeconds: core.unixSeconds, maximum: configuration.limits.bindings)
    }
    var settings = RedisLocationSettings(
      node: NodeNumber.of(configuration.node, hashing), slot: arguments.slot, generation: arguments.generation,
      epoch: arguments.epoch)
    settings.cacheSize = configuration.limits.locationCache
    let location = try RedisLocation(
      settings, redis: redis, owned: core.owned, hashing: hashing, loop: loop
    ) { report in
      switch report {
      case .degraded(let reason):
        log.warning("location degraded: Redis can't be used", metadata: ["reason": "\(reason)"])
      case .recovered(let seconds, let queued):
        log.notice("location recovered", metadata: ["after": "\(seconds) s", "queued": "\(queued)"])
      }
    }
    location.foundSalt = { [unowned tickets] epoch, salt in
      do {
        try tickets.add(epoch: epoch, salt: salt)
      } catch {
        log.warning("session tickets are good at this worker alone: \(error)")
      }
    }
    try location.start()
    return location
  }

  /// Waits until the location can be asked and tells of changes, but no longer than `limit`: a node serves without it as well. To be called before
  /// the worker takes its first connection, so that the first client to register at a new node isn't turned away.
  func awaitLocation(limit: Duration) throws {
    let end = System.monotonicNow + limit
    while !(location.health.isConnected && location.health.isSubscribed), System.monotonicNow < end {
      try loop.runOnce(until: end)
    }
  }

  /// Waits until what certificates demand to be sent along with them is there, but no longer than `limit`.
  func awaitStaples(limit: Duration) throws {
    let end = System.monotonicNow + limit
    while revocation.lacksStaples, System.monotonicNow < end { try loop.runOnce(until: end) }
  }

  /// Ends the worker once what was answered for is written, or can't be in time.
  func stop() {
    location.flush()
    if !location.hasUnwritten { return loop.stop() }
    stopEnd = stopEnd ?? loop.now + Self.writingTime
  }

  /// Ends a worker that only waits for that.
  func stopWhenWritten() {
    guard let stopEnd, loop.now >= stopEnd || !location.hasUnwritten else { return }
    loop.stop()
  }
}
