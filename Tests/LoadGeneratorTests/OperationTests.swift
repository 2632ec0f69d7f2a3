import Structures
import Testing

@testable import LoadGenerator

@Suite("Operations under way")
struct OperationTests {
  private func operation(_ connection: Int) -> Operation {
    Operation(
      .message, stream: 0, isMeasured: true, connection: connection, callee: 1, intended: 0, deadline: 1_000)
  }

  @Test("the name of an ended operation never names a later one at its place")
  func names() {
    var table = OperationTable()
    let first = table.insert(operation(1))
    table.remove(first)
    let second = table.insert(operation(2))
    #expect(second.slot == first.slot && second != first)
    #expect(table[first] == nil && table[second]?.connection == 2)
    table.update(first) { $0.delivered = true }
    #expect(table[second]?.delivered == false)
    table.update(second) { $0.delivered = true }
    #expect(table[second]?.delivered == true && table.count == 1)
    table.remove(first)
    #expect(table.contains(second) && table.id(at: second.slot) == second)
  }

  @Test("operations are found by what they have")
  func search() {
    var table = OperationTable()
    let ids = (0..<10).map { table.insert(operation($0 % 3)) }
    table.remove(ids[4])
    #expect(table.filter { $0.connection == 1 } == [ids[1], ids[7]])
  }

  @Test("a call is found by its Call-ID until it is removed")
  func calls() {
    var table = CalleeCallTable()
    let key = CalleeCallTable.key(Array("abc".utf8).span)
    #expect(key != CalleeCallTable.key(Array("abd".utf8).span))
    let position = table.insert(CalleeCall(key: key, connection: 5, operation: nil))
    #expect(table.position(key) == position && table[position]?.connection == 5)
    table.remove(position)
    #expect(table.position(key) == nil && table[position] == nil && table.count == 0)
  }
}
