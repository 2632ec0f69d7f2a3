/// Spent messages, kept for the next ones. Owned by the one thread that receives.
public struct MessagePool {
  private var spare: [Message] = []
  private let capacity: Int
  /// A message that once was larger isn't kept, so that one giant doesn't hold its memory for ever.
  private let largestKept: Int
  /// How many messages are out.
  public private(set) var outstanding = 0

  /// A pool that keeps up to `capacity` messages of up to `largestKept` octets.
  public init(capacity: Int = 4_096, largestKept: Int = 8_192) {
    self.capacity = capacity
    self.largestKept = largestKept
  }

  /// A message to load; its content is that of an earlier one.
  public mutating func take() -> Message {
    outstanding += 1
    return spare.popLast() ?? Message()
  }

  /// Gives a message back. The caller must not use it afterwards.
  public mutating func put(_ message: Message) {
    outstanding -= 1
    if spare.count < capacity, message.bytes.capacity <= largestKept { spare.append(message) }
  }
}
