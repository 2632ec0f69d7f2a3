import CHiredis
import Structures

/// What a server sent can't be read on: its connection must be closed.
public enum RedisProtocolError: Error, Equatable, Sendable {
  /// The octets are not RESP2.
  case malformed
  /// A reply passes the limits of its reader.
  case tooLarge
  /// There is no memory for the reply.
  case noMemory
}

/// How large a reply may be.
public struct RedisReplyLimits: Equatable, Sendable {
  /// Arrays within arrays, 1 to 7.
  public var depth: Int
  /// Values of one reply, arrays counted.
  public var values: Int
  /// Bytes of one reply.
  public var bytes: Int

  /// Limits that leave room for the lists that Apus asks for, a page of keys or the bindings of a user.
  public init(depth: Int = 4, values: Int = 100_000, bytes: Int = 16 << 20) {
    self.depth = depth
    self.values = values
    self.bytes = bytes
  }
}

/// Makes replies of the octets of one connection, which may be cut anywhere. Holds no more than a reply of the largest size; nothing that a server
/// sends can make it trap.
public struct RedisReplyReader: ~Copyable {
  /// Nil when there was no memory.
  private let reader: OpaquePointer?

  /// A reader for a new connection.
  public init(limits: RedisReplyLimits = RedisReplyLimits()) {
    reader = chiredis_reader_new(
      chiredis_limits(
        depth: Int32(min(max(1, limits.depth), 7)), items: max(1, limits.values), octets: max(1, limits.bytes)))
  }

  deinit { chiredis_reader_free(reader) }

  /// The next reply, for which octets are taken from `position` on, at most to the end; nil when there are too few. After an error all
  /// calls throw it.
  public mutating func next(
    from octets: Span<UInt8>, at position: inout Int
  ) throws(RedisProtocolError) -> RedisReply? {
    guard let reader else { throw .noMemory }
    while true {
      let outcome = chiredis_reader_next(reader)
      if outcome == chiredis_reply.rawValue { return reply(reader) }
      try Self.check(outcome)
      if position >= octets.count { return nil }
      let piece = octets.extracting(position..<min(octets.count, position + chiredis_piece()))
      try Self.check(piece.withUnsafeBufferPointer { chiredis_reader_feed(reader, $0.baseAddress, $0.count) })
      position += piece.count
    }
  }

  private static func check(_ outcome: Int32) throws(RedisProtocolError) {
    switch outcome {
    case chiredis_none.rawValue: return
    case chiredis_too_large.rawValue: throw .tooLarge
    case chiredis_no_memory.rawValue: throw .noMemory
    default: throw .malformed
    }
  }

  private func reply(_ reader: OpaquePointer) -> RedisReply {
    var index = 0
    return value(reader, at: &index)
  }

  /// The value at `index` with all that it holds; the limit of depth bounds the recursion.
  private func value(_ reader: OpaquePointer, at index: inout Int) -> RedisReply {
    precondition(index < chiredis_reader_item_count(reader))
    let item = chiredis_reader_item(reader, index)
    index += 1
    switch UInt32(truncatingIfNeeded: item.kind) {
    case chiredis_kind_text.rawValue: return .text(octets(reader, item))
    case chiredis_kind_error.rawValue: return .error(octets(reader, item))
    case chiredis_kind_integer.rawValue: return .integer(item.number)
    case chiredis_kind_bulk.rawValue: return .bulk(octets(reader, item))
    case chiredis_kind_array.rawValue:
      var values: [RedisReply] = []
      values.reserveCapacity(Int(item.number))
      for _ in 0..<item.number { values.append(value(reader, at: &index)) }
      return .array(values)
    case chiredis_kind_no_array.rawValue: return .array(nil)
    default: return .bulk(nil)
    }
  }
  private func octets(_ reader: OpaquePointer, _ item: chiredis_item) -> [UInt8] {
    guard item.number > 0, let all = chiredis_reader_octets(reader) else { return [] }
    return [UInt8](UnsafeBufferPointer(start: all + item.start, count: Int(item.number)))
  }
}
