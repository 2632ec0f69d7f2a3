import Testing

@testable import Configuration

@Suite("What supervisor and worker agree on")
struct WorkerContractTests {
  private static let arguments = WorkerArguments(
    configuration: 7, control: 3, slot: 2, slots: 3, generation: 65_535, epoch: .max, listeners: [4, 5, 6], link: 8,
    linkDirectory: "state/links", page: 9, redis: "state/redis.sock")

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
      let isPath = ["--link-directory", "--redis"].contains(words[max(0, index - 1)])
      #expect((WorkerArguments(changed) == nil) == !isPath)
    }
    #expect(WorkerArguments(Array(words[..<20]) + ["--slot", "1"]) == nil)
    #expect(WorkerArguments(Self.words(with: "4,,5", for: "--listeners")) == nil)
    #expect(WorkerArguments(Self.words(with: "2", for: "--slots")) == nil)
    #expect(WorkerArguments(Self.words(with: "-2", for: "--link-fd")) == nil)
  }

  @Test("paths may be empty or hold any character, also those of an option")
  func paths() {
    var arguments = Self.arguments
    (arguments.redis, arguments.linkDirectory) = ("", "--slots =, 1")
    #expect(WorkerArguments(arguments.words) == arguments)
  }

  private static func words(with value: String, for name: String) -> [String] {
    var words = arguments.words
    if let index = words.firstIndex(of: name) { words[index + 1] = value }
    return words
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
