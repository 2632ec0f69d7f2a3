import Testing

@testable import Configuration

@Suite("The table of counters")
struct CounterTableTests {
  @Test("every counter stands in it once, with a group, a unit and one line")
  func entries() {
    #expect(Set(CounterTable.all.map(\.name)).count == CounterTable.all.count)
    for counter in CounterTable.all {
      let parts = counter.name.split(separator: ".", omittingEmptySubsequences: false)
      #expect(parts.count == 2 && parts.allSatisfy { !$0.isEmpty }, "\(counter.name)")
      #expect(counter.name.allSatisfy { $0.isLowercase || $0.isNumber || $0 == "_" || $0 == "." }, "\(counter.name)")
      #expect(!counter.unit.isEmpty && !counter.summary.isEmpty && !counter.summary.hasSuffix("."), "\(counter.name)")
    }
  }

  @Test("a name leads to its position, a prefix with a star to all of its group")
  func names() throws {
    for (position, counter) in CounterTable.all.enumerated() {
      #expect(CounterTable.position(of: counter.name) == position)
      #expect(CounterTable.positions(matching: counter.name) == [position])
    }
    let tls = CounterTable.positions(matching: "tls.*").map { CounterTable.all[$0].name }
    #expect(tls.prefix(3) == ["tls.handshakes", "tls.handshake_failures", "tls.evicted_handshakes"])
    #expect(tls.allSatisfy { $0.hasPrefix("tls.") })
    #expect(CounterTable.positions(matching: "*") == Array(CounterTable.all.indices))
    #expect(CounterTable.positions(matching: "core.nothing").isEmpty)
    #expect(CounterTable.positions(matching: "").isEmpty)
  }
}
