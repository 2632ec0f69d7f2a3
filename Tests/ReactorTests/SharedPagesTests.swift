import Testing

@testable import Reactor

@Suite("Pages that workers share")
struct SharedPagesTests {
  private let header = SharedPages.Header(generation: 65_535, process: 4_711, startedAt: 1_790_000_000_123)

  /// Two mappings of one memory, as two processes have them.
  private func mappings(slots: Int = 2) throws -> (SharedPages, SharedPages) {
    let memory = try SharedPages.makeMemory(slots: slots)
    return (
      try SharedPages(mapping: memory.number, slots: slots), try SharedPages(mapping: memory.number, slots: slots)
    )
  }

  @Test("what one process writes another reads, each slot its own")
  func values() throws {
    let (worker, reader) = try mappings()
    #expect(reader.header(slot: 1) == nil)
    worker.begin(slot: 1, header)
    for position in [0, 7, SharedPages.valueCount - 1] {
      worker.set(slot: 1, position: position, UInt64.max - UInt64(position))
    }
    #expect(reader.header(slot: 1) == header)
    #expect(reader.value(slot: 1, position: 7) == UInt64.max - 7)
    #expect(reader.value(slot: 1, position: SharedPages.valueCount - 1) == UInt64.max - 495)
    #expect(reader.value(slot: 0, position: 7) == 0)
    #expect(reader.header(slot: 0) == nil)
    // The last value isn't taken for an address, nor the first of the next page.
    #expect(reader.streams(exceptOf: 0) == 0)
  }

  @Test("a page that is cleared, or taken over, holds nothing of what was in it")
  func cleared() throws {
    let (worker, reader) = try mappings()
    let use = SharedPages.AddressUse(connections: 3, handshakes: 1)
    let none = SharedPages.AddressUse(connections: 0, handshakes: 0)
    for clears in [true, false] {
      worker.begin(slot: 0, header)
      worker.set(slot: 0, position: 3, 9)
      worker.setStreams(slot: 0, 5)
      worker.setAddress(slot: 0, hash: 77 << 40 | 5, use)
      #expect(reader.address(hash: 77 << 40 | 5, exceptOf: 1) == use)
      #expect(reader.streams(exceptOf: 1) == 5)
      if clears { reader.clear(slot: 0) } else { reader.begin(slot: 0, header) }
      #expect((worker.header(slot: 0) == nil) == clears)
      #expect(worker.value(slot: 0, position: 3) == 0)
      #expect(worker.address(hash: 77 << 40 | 5, exceptOf: 1) == none)
      #expect(worker.streams(exceptOf: 1) == 0)
    }
  }

  @Test("counts of an address add up over the other slots; without connections it is forgotten")
  func addresses() throws {
    let (pages, other) = try mappings(slots: 3)
    let hash: UInt64 = 0xABCD_EF01_2345_6789
    for slot in 0..<3 {
      pages.setAddress(slot: slot, hash: hash, .init(connections: slot + 1, handshakes: slot))
      // In the same row, told apart by the rest of the hash.
      pages.setAddress(slot: slot, hash: hash ^ 1 << 50, .init(connections: 100, handshakes: 100))
    }
    #expect(other.address(hash: hash, exceptOf: 0) == .init(connections: 5, handshakes: 3))
    #expect(other.address(hash: hash, exceptOf: 2) == .init(connections: 3, handshakes: 1))
    pages.setAddress(slot: 1, hash: hash, .init(connections: 0, handshakes: 0))
    #expect(other.address(hash: hash, exceptOf: 0) == .init(connections: 3, handshakes: 2))
    #expect(other.address(hash: hash, exceptOf: 2) == .init(connections: 1, handshakes: 0))
  }

  @Test("a full row lets further addresses go untold, until there is room")
  func fullRow() throws {
    let (pages, other) = try mappings()
    let use = SharedPages.AddressUse(connections: 1, handshakes: 0)
    let none = SharedPages.AddressUse(connections: 0, handshakes: 0)
    // Of one row, with marks that differ.
    let hashes = (1...9).map { UInt64($0) << 33 | 42 }
    for hash in hashes { pages.setAddress(slot: 0, hash: hash, use) }
    #expect(hashes.map { other.address(hash: $0, exceptOf: 1) } == Array(repeating: use, count: 8) + [none])
    pages.setAddress(slot: 0, hash: hashes[2], none)
    pages.setAddress(slot: 0, hash: hashes[8], .init(connections: 2, handshakes: 0))
    #expect(other.address(hash: hashes[8], exceptOf: 1).connections == 2)
    #expect(other.address(hash: hashes[2], exceptOf: 1) == none)
  }

  @Test("whatever another process writes into its page, counts stay numbers")
  func strange() throws {
    let (pages, other) = try mappings()
    for word in 0..<SharedPages.wordCount { pages.store(0, word, .max) }
    #expect(other.header(slot: 0) == nil)
    #expect(other.streams(exceptOf: 1) == 1 << 32)
    let use = other.address(hash: .max, exceptOf: 1)
    #expect(use.connections > 0 && use.connections <= 8 << 20)
    #expect(use.handshakes > 0 && use.handshakes <= 8 << 12)
    pages.setAddress(slot: 1, hash: 1 << 40, .init(connections: .max, handshakes: .max))
    #expect(other.address(hash: 1 << 40, exceptOf: 0) == .init(connections: 1 << 20 - 1, handshakes: 1 << 12 - 1))
  }
}
