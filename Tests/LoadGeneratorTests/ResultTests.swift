import Structures
import Testing

@testable import LoadGenerator

@Suite("Results, thresholds and comparison")
struct ResultTests {
  private func measurements(_ times: [Int64], failures: Int = 0) -> Measurements {
    var measured = Measurements()
    for time in times {
      measured.countStart(.message)
      measured.record(.message, nanoseconds: time)
      measured.countSuccess(.message, at: time)
    }
    for _ in 0..<failures {
      measured.countStart(.message)
      measured.countFailure(.message, .timeout)
    }
    measured.elapsed = 1_000_000_000
    return measured
  }

  @Test("merged measurements are those of all processes together")
  func merging() {
    var one = measurements((1...1_000).map { $0 * 1_000_000 }, failures: 2)
    let two = measurements((1_001...2_000).map { $0 * 1_000_000 }, failures: 1)
    one.merge(two)
    #expect(one.successes == 2_000 && one.failures == 3 && one.value(.timeout) == 3)
    let median = Double(one.percentile(.message, 50) ?? 0)
    #expect(abs(median - 1_000_000) < 2_000)
    #expect(one.started(.message) == 2_003)
  }

  @Test("measurements come out of a pipe as they went in")
  func words() throws {
    var measured = measurements([1_000_000, 5_000_000, 90_000_000_000], failures: 1)
    measured.countStatus(200)
    measured.count(.pings, 3)
    measured.worstDelay = 17
    let words = measured.words
    let copy = try #require(Measurements(words: words))
    let (sent, received) = (measured.percentile(.message, 99) ?? 0, copy.percentile(.message, 99) ?? 0)
    #expect(abs(Double(sent) - Double(received)) <= Double(sent) / 1_000, "three digits are kept")
    #expect(copy.statuses[200] == 1 && copy.value(.pings) == 3 && copy.worstDelay == 17)
    #expect(Measurements(words: Array(measured.words.dropLast(1))) == nil)
    #expect(Measurements(words: []) == nil)
  }

  @Test("the longest gap is the longest stretch of time without a success")
  func gap() {
    let measured = measurements([0, 10_000_000, 20_000_000, 520_000_000, 530_000_000])
    #expect(measured.longestGap == 490_000_000)
  }

  @Test(
    "a threshold is passed when its relation holds",
    arguments: [
      ("p99>20ms", false), ("p99>2ms", true), ("message.p50>=1s", false), ("max>3ms", false), ("max>=2ms", true),
      ("errors>0", true), ("errors>1", false), ("errors>10%", true), ("errors>60%", false), ("rate<1000", true),
      ("dropped>0", false), ("cpu>120us", true), ("call.p99>1s", true), ("gap>1s", false),
    ])
  func thresholds(_ text: String, _ passed: Bool) throws {
    let result = LoadResult(measurements([1_000_000, 3_000_000], failures: 1))
    #expect(try Threshold(text).isPassed(by: result) == passed)
  }

  @Test(
    "what is no threshold is refused with an example",
    arguments: [
      "", "p99", "p99>20", "p0>1ms", "p101>1ms", "foo>1", "errors>x", "message.x>1ms", "cpu>5", "p99>20 apples",
    ])
  func refusals(_ text: String) {
    let error = #expect(throws: UsageError.self) { try Threshold(text) }
    #expect(error?.problem.contains("p99>20ms") ?? false)
  }

  @Test("two results are compared line by line, with better and worse by what is wished for")
  func comparison() throws {
    let slow = JSONReport(LoadResult(measurements([4_000_000, 4_000_000])), command: ["apus-bench"])
    let quick = JSONReport(LoadResult(measurements([2_000_000, 2_000_000, 2_000_000])), command: ["apus-bench"])
    let table = Comparison(
      try ResultFile(json: slow.octets, name: "slow"), try ResultFile(json: quick.octets, name: "quick"))
    let median = table.rows.first { $0.name == "message p50 ms" }
    #expect(median?.isBetter == true)
    #expect(table.rows.first { $0.name == "operations/s" }?.isBetter == true)
    #expect(table.rows.first { $0.name == "operations done" }?.isBetter == nil)
    #expect(table.text.contains("better"))
    #expect(throws: LoadError.self) { try ResultFile(json: Array("{}".utf8), name: "x") }
    #expect(throws: LoadError.self) { try ResultFile(json: Array("{".utf8), name: "x") }
  }

  @Test("numbers and texts of a report are written as they should be read")
  func texts() {
    #expect(TextReport.fixed(1.005, 1) == "1.0" && TextReport.fixed(-2.55, 0) == "-3")
    #expect(TextReport.fixed(0.049, 2) == "0.05" && TextReport.milliseconds(12_345) == "12.345")
    #expect(
      JSONValue.object([("a\"b\n", .list([.number(1), .number(0.5)]))]).text == "{\n  \"a\\\"b\\n\": [1, 0.500]\n}")
  }
}
