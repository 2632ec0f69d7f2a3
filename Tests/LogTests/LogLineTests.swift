import Logging
import Testing

@testable import Log

@Suite("Log lines")
struct LogLineTests {
  @Test(
    "a line starts with time in UTC, program, process and level",
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
      (1_795_464_000_123, "2026-11-23T20:00:00.123Z"), (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
      (4_107_542_400_000, "2100-03-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
    ] as [(Int64, String)])
  func start(_ milliseconds: Int64, _ time: String) {
    var line = LogLine(milliseconds: milliseconds, program: "apus", process: 42)
    line.append(level: .warning)
    line.append(text: "gone")
    line.append(key: "slot", value: "0")
    #expect(String(decoding: line.finish(), as: UTF8.self) == "\(time) apus[42] WARNING gone slot=0\n")
  }

  @Test("what a peer put into a message can neither end a line nor steer a terminal")
  func controls() {
    var line = LogLine(milliseconds: 0, program: "a", process: 1)
    line.append(text: "x\r\n\u{1B}[2J\u{7F}é")
    #expect(String(decoding: line.finish(), as: UTF8.self).hasSuffix(" x\\x0d\\x0a\\x1b[2J\\x7fé\n"))
  }
}
