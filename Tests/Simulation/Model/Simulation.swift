import Structures

/// One random run of phones and a server: what it was, and what was wrong with it.
package struct Simulation: Sendable {
  /// What the run follows from.
  package let seed: UInt64
  /// What must not have been; empty when all was well.
  package let complaints: [String]
  /// How often what happened: requests by method, responses by method and status.
  package let seen: [String: Int]
  /// What each phone got, in order, if the number of workers was given: first line and CSeq.
  package let heard: [String]

  /// Carries a run out to its end, with every timer run out. `tracer` is told of every message.
  ///
  /// The server has `workers` workers that live on with links that take no time; nil: the seed says how many, how long their links take, and when
  /// which is killed.
  package init(seed: UInt64, workers: Int? = nil, sabotage: Sabotage? = nil, tracer: ((String) -> Void)? = nil) {
    let world = World(seed: seed, workers: workers, sabotage: sabotage, tracer: tracer)
    let story = Story(world: world)
    story.play()
    self.seed = seed
    complaints = world.witness.complaints
    seen = world.witness.seen
    heard = world.heard ?? []
    world.close()
  }
}
