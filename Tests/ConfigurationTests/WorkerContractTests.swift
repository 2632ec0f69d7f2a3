import Testing

@testable import Configuration

@Suite("What supervisor and worker agree on")
struct WorkerContractTests {
  private static let arguments = WorkerArguments(
    configuration: 7, control: 3, slot: 2, generation: 65_535, epoch: .max, listeners: [4, 5, 6])

  @Test("a worker reads the arguments that the supervisor wrote, in any order")
  func arguments() {
    let words = Self.arguments.words
    #expect(words.contains("ffffffffffffffff"))
    #expect(words.contains("4,5,6"))
    #expect(WorkerArguments(words) == Self.arguments)
    #expect(WorkerArguments(Array(words[4...] + words[..<4])) == Self.arguments)
  }

  @Test("arguments with anything missing, doubled or strange are refused")
  func strangeArguments() {
    let words = Self.arguments.words
    for index in words.indices {
      #expect(WorkerArguments(Array(words[..<index])) == nil)
      var changed = words
      changed[index] = "x"
      #expect(WorkerArguments(changed) == nil)
    }
    #expect(WorkerArguments(Array(words[..<10]) + ["--slot", "1"]) == nil)
    #expect(WorkerArguments(Array(words[..<11]) + ["4,,5"]) == nil)
  }

  @Test(
    "a control message survives the way; another version, kind or length is none", arguments: ControlMessage.allCases)
  func messages(_ message: ControlMessage) {
    let octets = message.octets
    #expect(ControlMessage(octets.span) == message)
    for other in [[2, octets[1]], [1, 200], [1], [], octets + [0]] as [[UInt8]] {
      #expect(ControlMessage(other.span) == nil)
    }
  }
}
