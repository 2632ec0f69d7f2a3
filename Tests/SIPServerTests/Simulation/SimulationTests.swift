import Simulation
import Testing

@Suite("Simulated phones on a network that loses, doubles, delays and breaks")
struct SimulationTests {
  @Test("every request gets one final response, and no call is half", arguments: 0..<3)
  func runs(_ part: Int) {
    var seen: [String: Int] = [:]
    for seed in UInt64(part) * 200..<UInt64(part + 1) * 200 {
      let run = Simulation(seed: seed)
      #expect(run.complaints.isEmpty, "seed \(seed): \(run.complaints)")
      if !run.complaints.isEmpty { return }
      seen.merge(run.seen) { $0 + $1 }
    }
    for word in Self.everywhere {
      #expect(seen[word, default: 0] > 0, "\(word) in none of the runs of part \(part)")
    }
  }

  /// Chance has to have led everywhere, else the runs prove little.
  private static let everywhere = [
    "INVITE 180", "INVITE 183", "INVITE 200", "INVITE 302", "INVITE 404", "INVITE 486", "INVITE 487", "INVITE 491",
    "INVITE 603", "MESSAGE 200", "INFO 200", "BYE 200", "got CANCEL", "got ACK", "got BYE", "re-INVITE", "re-BYE",
    "own 100", "own 404", "own 408", "own 480", "own 487", "own 500", "killed",
  ]

  @Test("through three workers nearly every story goes as through one, to the millisecond, and all go well")
  func severalWorkers() {
    var same = 0
    let seeds = 0..<60 as Range<UInt64>
    for seed in seeds {
      let (one, three) = (Simulation(seed: seed, workers: 1), Simulation(seed: seed, workers: 3))
      #expect(one.complaints.isEmpty && three.complaints.isEmpty, "seed \(seed): \(three.complaints)")
      #expect(one.heard.count > 0)
      if one.heard == three.heard { same += 1 }
    }
    // The others: of two things at the same moment another comes first, and takes another random number.
    #expect(same > seeds.count / 2, "\(same) of \(seeds.count)")
  }

  @Test("a fault put between the server and the network is found", arguments: Sabotage.allCases)
  func sabotage(_ kind: Sabotage) {
    let found = (0..<60).contains { !Simulation(seed: $0, sabotage: kind).complaints.isEmpty }
    #expect(found, "\(kind) went unnoticed")
  }

  @Test("a run follows from its seed alone")
  func repeatable() {
    var first: [String] = []
    var second: [String] = []
    _ = Simulation(seed: 7) { first.append($0) }
    _ = Simulation(seed: 7) { second.append($0) }
    #expect(first == second)
    #expect(first.count > 50)
  }
}
