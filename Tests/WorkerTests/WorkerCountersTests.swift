import Configuration
import Reactor
import Testing

@testable import Worker

@Suite("A worker's page")
struct WorkerCountersTests {
  @Test("every number of the table is written, and none that isn't in it")
  func sources() {
    #expect(Set(WorkerCounters.sources().map(\.name)) == Set(CounterTable.all.map(\.name)))
    #expect(WorkerCounters.sources().count == CounterTable.all.count)
    #expect(CounterTable.all.count <= SharedPages.valueCount)
  }

  @Test("what the worker did stands in its page soon, with who writes it")
  func page() throws {
    let memory = try SharedPages.makeMemory(slots: 3)
    let pages = try SharedPages(mapping: memory.number, slots: 3)
    let bench = try Bench(page: memory.release(), slot: 2, slots: 3)
    #expect(pages.header(slot: 2)?.generation == 1)
    #expect(pages.header(slot: 2)?.process == System.processID)
    #expect(pages.header(slot: 0) == nil)
    let client = try Socket.connect(to: bench.tcp)
    let accepted = try #require(CounterTable.position(of: "tcp.accepted"))
    #expect(bench.turn { pages.value(slot: 2, position: accepted) == 1 })
    #expect(pages.streams(exceptOf: 0) == 1)
    _ = consume client
    let held = try #require(CounterTable.position(of: "tcp.connections"))
    #expect(bench.turn { pages.value(slot: 2, position: held) == 0 && pages.streams(exceptOf: 0) == 0 })
  }
}
