import Reactor
import Structures
import Testing

@testable import LoadGenerator

@Suite("What the generator notices, with a relay of its own on loopback")
struct CheckTests {
  private final class Quiet: LoadObserver {
    let isReleased = true
    func prepared(_ worker: LoadWorker) {}
    func measurementBegan(_ worker: LoadWorker) {}
    func measurementEnded(_ worker: LoadWorker) {}
    func progressed(_ worker: LoadWorker) {}
  }

  private func run(
    _ kind: OperationKind, _ fault: TestRelay.Fault, count: Int = 20, _ change: (inout LoadPlan) -> Void = { _ in }
  ) throws -> (Measurements, TestRelay) {
    let relay = try TestRelay(fault)
    var plan = LoadPlan()
    plan.transport = .tcp
    plan.targets = [relay.address]
    plan.users = .numbered(count: 4, prefix: "u", digits: 7, first: 1, password: "")
    plan.streams = [LoadStream(kind, .closed(concurrency: 2))]
    plan.count = count
    plan.duration = .seconds(20)
    // Short only where an answer never comes, so that a busy machine fails nothing.
    plan.timeout = fault == .losesRequests || fault == .losesACK ? .milliseconds(200) : .seconds(10)
    change(&plan)
    let worker = try LoadWorker(plan, process: 0, observer: Quiet())
    try relay.start(on: worker.loop)
    try worker.run()
    return (worker.results, relay)
  }

  @Test("messages that go right are all counted, as many as the relay saw")
  func messages() throws {
    let (results, relay) = try run(.message, .none, count: 100)
    #expect(results.succeeded(.message) == 100 && results.failures == 0)
    #expect(relay.messages == 100 && results.statuses[200] == 100)
    #expect(results.histogram(.message).totalCount == 100)
  }

  @Test("users that share a connection register over it, and each gets what is for it")
  func shared() throws {
    let (results, relay) = try run(.message, .none, count: 100) {
      $0.users = .numbered(count: 7, prefix: "u", digits: 7, first: 1, password: "")
      $0.usersPerConnection = 3
    }
    #expect(results.succeeded(.message) == 100 && results.failures == 0)
    #expect(relay.connections == 3 && results.registered == 7)
  }

  @Test("each user binds once, and what is bound is counted")
  func bind() throws {
    let (results, _) = try run(.bind, .none, count: 9) {
      $0.users = .numbered(count: 9, prefix: "u", digits: 7, first: 1, password: "")
      $0.usersPerConnection = 4
      $0.registers = false
    }
    #expect(results.succeeded(.bind) == 9 && results.failures == 0 && results.registered == 9)
  }

  @Test("calls end with every ACK seen, whoever hangs up", arguments: CallSettings.Ending.allCases)
  func calls(_ ending: CallSettings.Ending) throws {
    let (results, _) = try run(.call, .none, count: 60) { $0.calls.ending = ending }
    #expect(results.succeeded(.call) == 60 && results.failures == 0)
    #expect(results.histogram(.postDial).totalCount == 60 && results.histogram(.call).totalCount == 60)
  }

  @Test("rejected and cancelled calls count as done, with their status")
  func courses() throws {
    let (rejected, _) = try run(.call, .none) { $0.calls.rejectPercent = 100 }
    #expect(rejected.succeeded(.call) == 20 && rejected.statuses[486] == 20)
    let (cancelled, _) = try run(.call, .none) { $0.calls.cancelPercent = 100 }
    #expect(cancelled.succeeded(.call) == 20 && cancelled.statuses[487] == 20)
  }

  @Test(
    "each fault of a server is noticed and named",
    arguments: [
      (TestRelay.Fault.changesBody, LossCause.wrongBody), (.keepsVia, .extraVia), (.wrongUser, .wrongUser),
      (.losesRequests, .timeout), (.answersItself, .notDelivered), (.breaksFrames, .framing),
      (.closes, .connectionLost),
    ])
  func faults(_ fault: TestRelay.Fault, _ cause: LossCause) throws {
    let (results, _) = try run(.message, fault, count: 2)
    #expect(results.failures == 2 && results.value(cause) == 2, "\(results.losses)")
    #expect(results.successes == 0)
  }

  @Test("a call whose ACK is lost fails although BYE was answered")
  func lostACK() throws {
    let (results, _) = try run(.call, .losesACK, count: 4)
    #expect(results.value(.noACK) == 4 && results.successes == 0)
  }

  @Test("an open loop starts no more operations than were due, and all that it starts end well")
  func openLoop() throws {
    let (results, _) = try run(.message, .none, count: 0) {
      $0.streams = [LoadStream(.message, .open(RateProfile(500), .even))]
      $0.duration = .milliseconds(400)
    }
    #expect((1...201).contains(results.started(.message)) && results.failures == 0)
  }

  @Test("after a storm all users are registered again and each return is timed")
  func storm() throws {
    let (results, _) = try run(.message, .none) {
      $0.streams = []
      $0.event = .storm
    }
    #expect(results.registered == 4 && results.histogram(.recovery).totalCount == 4)
  }
}
