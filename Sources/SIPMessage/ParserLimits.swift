/// How large a message may be.
public struct ParserLimits: Sendable, Equatable {
  /// Octets of a whole message, at most 65,535: positions are kept in 16 bits.
  public let message: Int
  /// Octets from the start line to the empty line.
  public let head: Int
  /// Header lines, at most 255.
  public let fields: Int

  /// The maxima, for what we wrote ourselves.
  public static let largest = ParserLimits(message: .max, head: .max, fields: .max)

  /// Limits; values above the maxima are lowered to them.
  public init(message: Int = 65_535, head: Int = 32_768, fields: Int = 200) {
    self.message = min(message, 65_535)
    self.head = min(head, self.message)
    self.fields = min(fields, 255)
  }
}
