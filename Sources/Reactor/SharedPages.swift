import CLinux

/// The statistics of all workers of a node in memory that they and the supervisor share: one page for each slot, written by its worker alone,
/// read by everybody without disturbing it. Numbers are 64-bit words, read and written whole and in no order with others.
///
/// A page has a header (which generation writes, since when), ``valueCount`` values by the position of their name in a table that all
/// processes of the node share, and the counts of peer addresses (`SharedPages+Addresses.swift`). The supervisor makes the memory and clears a
/// page when its worker has ended, so what a dead worker held doesn't count; a worker clears its page when it begins.
public final class SharedPages {
  /// What heads a page.
  public struct Header: Equatable, Sendable {
    /// The generation that writes the page, from 1.
    public var generation: UInt16
    /// Its process.
    public var process: Int32
    /// When it began, in milliseconds since 1970.
    public var startedAt: Int64

    /// A header from its parts.
    public init(generation: UInt16, process: Int32, startedAt: Int64) {
      self.generation = generation
      self.process = process
      self.startedAt = startedAt
    }
  }

  /// How many values a page has room for.
  public static let valueCount = 496
  /// Bytes of a page.
  public static let pageSize = wordCount * 8

  /// The words of the header: version, generation, process, start, streams.
  private static let version: UInt64 = 1
  static let streamsWord = 4
  private static let firstValue = 16
  static let firstAddress = 512
  static let wordCount = firstAddress + addressCapacity

  /// How many pages there are.
  public let slots: Int
  private let memory: UnsafeMutablePointer<UInt64>

  /// Maps the memory of that descriptor, which must have ``size(slots:)`` bytes and keep them; it may be closed afterwards.
  public init(mapping descriptor: Int32, slots: Int) throws(SystemError) {
    precondition(slots > 0)
    var address: UnsafeMutableRawPointer?
    try SystemError.check("mmap", clinux_map_shared(descriptor, Self.size(slots: slots), &address))
    guard let address else { throw SystemError("mmap", code: Errno.noMemory) }
    self.slots = slots
    memory = address.bindMemory(to: UInt64.self, capacity: slots * Self.wordCount)
  }

  deinit { clinux_unmap(memory, Self.size(slots: slots)) }

  /// Memory for the pages of so many slots, to be inherited by workers; nobody can make it smaller.
  public static func makeMemory(slots: Int) throws(SystemError) -> Descriptor {
    let result = clinux_shared_memory("apus-pages", Int64(size(slots: slots)))
    return Descriptor(owning: try SystemError.check("memfd_create", result))
  }

  /// Bytes of the memory for so many slots.
  public static func size(slots: Int) -> Int { slots * pageSize }

  // MARK: Writing

  /// A new generation takes its page over: all that was in it is gone.
  public func begin(slot: Int, _ header: Header) {
    clear(slot: slot)
    store(slot, 1, UInt64(header.generation))
    store(slot, 2, UInt64(UInt32(bitPattern: header.process)))
    store(slot, 3, UInt64(bitPattern: header.startedAt))
    store(slot, 0, Self.version)
  }

  /// Nobody writes the page any more: nothing in it counts.
  public func clear(slot: Int) {
    // What other workers reckon with goes first, the rest is for people.
    store(slot, 0, 0)
    store(slot, Self.streamsWord, 0)
    // A page without addresses was never touched there: reading it costs no memory, writing it would.
    for word in 1..<Self.wordCount where load(slot, word) != 0 { store(slot, word, 0) }
  }

  /// Writes one value.
  public func set(slot: Int, position: Int, _ value: UInt64) {
    precondition(position >= 0 && position < Self.valueCount)
    store(slot, Self.firstValue + position, value)
  }

  // MARK: Reading

  /// Who writes the page; nil: nobody.
  public func header(slot: Int) -> Header? {
    guard load(slot, 0) == Self.version else { return nil }
    return Header(
      generation: UInt16(truncatingIfNeeded: load(slot, 1)),
      process: Int32(bitPattern: UInt32(truncatingIfNeeded: load(slot, 2))),
      startedAt: Int64(bitPattern: load(slot, 3)))
  }

  /// Reads one value; 0 where nobody writes.
  public func value(slot: Int, position: Int) -> UInt64 {
    precondition(position >= 0 && position < Self.valueCount)
    return load(slot, Self.firstValue + position)
  }

  // MARK: Words

  func load(_ slot: Int, _ word: Int) -> UInt64 {
    clinux_load(memory + place(slot, word))
  }

  func store(_ slot: Int, _ word: Int, _ value: UInt64) {
    clinux_store(memory + place(slot, word), value)
  }

  private func place(_ slot: Int, _ word: Int) -> Int {
    precondition(slot >= 0 && slot < slots && word >= 0 && word < Self.wordCount)
    return slot * Self.wordCount + word
  }
}
