import Testing

@testable import RedisLocation

/// Every order in which what is on its way can arrive: the test is run once for each, with the choices written down.
struct Interleavings {
  private var choices: [Int] = []
  private var widths: [Int] = []
  private var depth = 0

  /// One of `count` possibilities.
  mutating func choose(_ count: Int) -> Int {
    if depth == choices.count {
      choices.append(0)
      widths.append(count)
    }
    depth += 1
    return choices[depth - 1]
  }

  /// Runs `body` for every order; returns how many there were, at most `limit`.
  static func all(limit: Int, _ body: (inout Interleavings) -> Void) -> Int {
    var order = Interleavings()
    for count in 1...limit {
      order.depth = 0
      body(&order)
      while let last = order.choices.last, let width = order.widths.last, last + 1 >= width {
        order.choices.removeLast()
        order.widths.removeLast()
      }
      guard let last = order.choices.indices.last else { return count }
      order.choices[last] += 1
    }
    Issue.record("more orders than \(limit)")
    return limit
  }

  /// Carries out actions, each list in its order, mixed with all that is on its way of the stations.
  mutating func run(_ stations: [Station], _ threads: [[() -> Void]]) {
    var positions = threads.map { _ in 0 }
    while true {
      var steps: [() -> Void] = []
      for (index, thread) in threads.enumerated() where positions[index] < thread.count {
        steps.append {
          positions[index] += 1
          thread[positions[index] - 1]()
        }
      }
      for station in stations where !station.isPrompt {
        if !station.sent.isEmpty { steps.append { station.executeNext() } }
        if !station.replies.isEmpty { steps.append { station.deliverReply() } }
        if !station.messages.isEmpty { steps.append { station.deliverMessage() } }
      }
      if steps.isEmpty { return }
      steps[steps.count == 1 ? 0 : choose(steps.count)]()
    }
  }
}
