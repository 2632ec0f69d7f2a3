import Structures

/// Some hash algorithms in the order of preference, each at most once; a value without storage of its own.
public struct AlgorithmList: Sendable, Equatable {
  /// Two bits for each algorithm, the first in the lowest.
  private var packed: UInt8 = 0
  /// How many there are.
  public private(set) var count = 0

  /// The list of `algorithms`, best first; repetitions are left out.
  public init(_ algorithms: [HashAlgorithm]) {
    for algorithm in algorithms where !contains(algorithm) {
      packed |= algorithm.rawValue << UInt8(count * 2)
      count += 1
    }
  }

  /// Whether the list is empty.
  public var isEmpty: Bool { count == 0 }

  /// The algorithm at a position; nil behind the end.
  public subscript(position: Int) -> HashAlgorithm? {
    position >= 0 && position < count ? HashAlgorithm(rawValue: packed >> UInt8(position * 2) & 3) : nil
  }

  /// Whether the algorithm is in the list.
  public func contains(_ algorithm: HashAlgorithm) -> Bool {
    for position in 0..<count where self[position] == algorithm { return true }
    return false
  }
}

extension AlgorithmList: ExpressibleByArrayLiteral {
  /// A list written out.
  public init(arrayLiteral elements: HashAlgorithm...) { self.init(elements) }
}
