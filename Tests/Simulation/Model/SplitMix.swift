/// A small generator with a seed, so that a failing run can be had again.
package struct SplitMix: RandomNumberGenerator {
  private var state: UInt64

  /// A generator whose numbers follow from the seed.
  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
    return word ^ word >> 31
  }

  /// True in so many of a hundred cases.
  mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }

  /// A time between two bounds in milliseconds.
  mutating func milliseconds(_ range: ClosedRange<Int>) -> Duration {
    .milliseconds(Int.random(in: range, using: &self))
  }

  /// One of a list that isn't empty; `otherwise` when it is.
  mutating func pick<Element>(_ list: [Element], otherwise: Element) -> Element {
    list.isEmpty ? otherwise : list[Int.random(in: 0..<list.count, using: &self)]
  }

  /// The position of one of the weights, as often as it weighs.
  mutating func weighted(_ weights: [Int]) -> Int {
    var rest = Int.random(in: 0..<max(1, weights.reduce(0, +)), using: &self)
    for (position, weight) in weights.enumerated() {
      if rest < weight { return position }
      rest -= weight
    }
    return 0
  }
}
