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

  private static let everyMessage: [ControlMessage] = [
    .ready, .heartbeat, .drain, .stop, .question(id: 7, octets: [1, 2, 3]), .question(id: .max, octets: []),
    .answer(id: 0x0102_0304, isLast: false, octets: [9]), .answer(id: 0, isLast: true, octets: []),
    .prepare(version: .max), .prepared(version: 0x0102_0304_0506_0708),
    .refused(version: 2, reason: "the certificate of “default” has expired"), .refused(version: 2, reason: ""),
    .commit(version: 3), .abort(version: 4), .slotEnded(slot: 513, generation: 65_534), .stay,
    .moveOff(seconds: 86_400, refuses: true), .moveOff(seconds: 1, refuses: false),
  ]

  @Test("a control message survives the way; another version, kind or a part of it is none", arguments: everyMessage)
  func messages(_ message: ControlMessage) {
    let octets = message.octets
    #expect(ControlMessage(octets.span) == message)
    for other in [[1] + octets[1...], [2, 200], [2], []] as [[UInt8]] { #expect(ControlMessage(other.span) == nil) }
    // A shorter datagram is another message or none, never this one.
    for count in octets.indices {
      let part = Array(octets[..<count])
      #expect(ControlMessage(part.span) != message)
    }
  }

  @Test("what has a fixed length is refused with one octet more")
  func longer() {
    for message in [.ready, .stop, .prepare(version: 1), .prepared(version: 1), .commit(version: 1)] as [ControlMessage]
    {
      let octets = message.octets + [0]
      #expect(ControlMessage(octets.span) == nil)
    }
    let marked: [UInt8] = [2, 6, 0, 0, 0, 1, 2]
    #expect(ControlMessage(marked.span) == nil, "a mark that is neither 0 nor 1")
    let text: [UInt8] = [2, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF]
    #expect(ControlMessage(text.span) == nil, "a reason that is no UTF-8")
  }

  @Test("a datagram holds 64 KiB and no more: what is longer is cut, between characters, and refused when it comes")
  func largest() {
    let most = [UInt8](repeating: 5, count: ControlMessage.maximumPayload)
    for message in [.question(id: 1, octets: most), .answer(id: 1, isLast: true, octets: most)] as [ControlMessage] {
      let octets = message.octets
      #expect(ControlMessage(octets.span) == message)
    }
    let longer = ControlMessage.answer(id: 1, isLast: true, octets: most + [6]).octets
    #expect(longer.count == ControlMessage.maximumSize)
    let tooLong = longer + [6]
    #expect(ControlMessage(tooLong.span) == nil)
    for (first, letter, left) in [("", "€", 21_842), ("x", "é", 32_762)] {
      let octets = ControlMessage.refused(version: 1, reason: first + String(repeating: letter, count: 40_000)).octets
      let cut = first + String(repeating: letter, count: left)
      #expect(ControlMessage(octets.span) == .refused(version: 1, reason: cut))
    }
  }
}
