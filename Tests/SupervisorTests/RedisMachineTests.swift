import Structures
import Testing

@testable import Supervisor

/// A machine with a clock that the test moves.
private struct Stage {
  var machine = RedisMachine()
  var now = Instant(nanoseconds: 1_000_000_000)

  mutating func start() -> [RedisMachine.Action] { input { $0.start($1, into: &$2) } }
  mutating func stop() -> [RedisMachine.Action] { input { $0.stopAsked($1, into: &$2) } }
  mutating func ends(_ end: SupervisorMachine.WorkerEnd = .signalled(9)) -> [RedisMachine.Action] {
    input { $0.ended(end, $1, into: &$2) }
  }

  /// Lets time pass and reaches the deadlines in it.
  mutating func wait(_ duration: Duration) -> [RedisMachine.Action] {
    let end = now + duration
    var all: [RedisMachine.Action] = []
    while let deadline = machine.nextDeadline, deadline <= end {
      now = max(now, deadline)
      all += input { $0.deadlineReached($1, into: &$2) }
    }
    now = end
    return all
  }

  private mutating func input(
    _ body: (inout RedisMachine, Instant, inout [RedisMachine.Action]) -> Void
  ) -> [RedisMachine.Action] {
    var actions: [RedisMachine.Action] = []
    body(&machine, now, &actions)
    return actions
  }
}

@Suite("The private Redis: decisions")
struct RedisMachineTests {
  private static let end = SupervisorMachine.WorkerEnd.signalled(9)

  @Test("it is started once, and again at once when it ends")
  func replaces() {
    var stage = Stage()
    #expect(stage.start() == [.spawn])
    #expect(stage.start().isEmpty)
    #expect(stage.ends() == [.report(.ended(Self.end, startsAgainAfter: .zero)), .spawn])
  }

  @Test("ends in a row are answered after 100 ms, doubled up to 5 s; ten seconds of service begin a new row")
  func backsOff() {
    var stage = Stage()
    _ = stage.start()
    var delays: [Duration] = []
    for _ in 0..<9 {
      for case .report(.ended(_, let delay)) in stage.ends() { delays.append(delay) }
      let delay = delays.last ?? .zero
      if delay > .zero {
        #expect(stage.wait(delay - .milliseconds(1)).isEmpty)
        #expect(stage.wait(.milliseconds(1)) == [.spawn])
      }
    }
    #expect(
      delays == [
        .zero, .milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(800), .milliseconds(1600),
        .milliseconds(3200), .seconds(5), .seconds(5),
      ])
    #expect(stage.wait(.seconds(10)).isEmpty)
    #expect(stage.ends().last == .spawn)
  }

  @Test("asked to stop, it may write for five seconds, then it is killed; the end is told once")
  func stops() {
    var stage = Stage()
    _ = stage.start()
    #expect(stage.stop() == [.terminate])
    #expect(stage.stop().isEmpty)
    #expect(stage.wait(.milliseconds(4_999)).isEmpty)
    #expect(stage.wait(.milliseconds(1)) == [.report(.cutShort), .kill])
    #expect(stage.wait(.seconds(60)).isEmpty)
    #expect(stage.ends() == [.finish])
    #expect(stage.ends().isEmpty)
    #expect(stage.stop().isEmpty)
  }

  @Test("one that ends when asked is not started again")
  func endsInTime() {
    var stage = Stage()
    _ = stage.start()
    _ = stage.stop()
    #expect(stage.ends(.exited(0)) == [.finish])
    #expect(stage.machine.nextDeadline == nil)
  }

  @Test("one that waits for its next start, or never started, has nothing to end")
  func stopsWhileWaiting() {
    var stage = Stage()
    #expect(stage.stop() == [.finish])
    var other = Stage()
    _ = other.start()
    _ = other.ends()
    _ = other.ends()
    #expect(other.stop() == [.finish])
    #expect(other.wait(.seconds(60)).isEmpty)
  }
}

@Suite("The private Redis: files")
struct RedisFilesTests {
  @Test("a word of its configuration may hold blanks, quotes and backslashes")
  func quotes() {
    #expect(RedisFiles.quoted(#"/a b/"c"\d"#) == #""/a b/\"c\"\\d""#)
  }

  @Test(
    "its lines come with the level that it gave them; what a failed start says is a warning",
    arguments: [
      ("4711:M 26 Nov 2026 02:00:00.000 * Ready to accept connections", "debug"),
      ("4711:M 26 Nov 2026 02:00:00.000 # Server initialized", "notice"),
      ("4711:M 26 Nov 2026 02:00:00.000 - Accepted", "debug"), ("*** FATAL CONFIG FILE ERROR ***", "warning"),
      (">>> 'unixsocketperm abc def'", "warning"),
    ])
  func levels(_ line: String, _ level: String) {
    #expect(PrivateRedis.level(of: line).rawValue == level)
  }
}
