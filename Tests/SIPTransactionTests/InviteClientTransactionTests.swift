import SIPTransaction
import Structures
import Testing

private typealias Call = Script<InviteClientTransaction>

@Suite("INVITE client transaction: RFC 3261 §17.1.1, RFC 6026 §7.2")
struct InviteClientTransactionTests {
  @Test("fits a slot: at most 64 bytes")
  func size() {
    #expect(MemoryLayout<InviteClientTransaction>.stride <= 64)
  }

  @Suite("calling")
  struct Calling {
    @Test("sends the INVITE when it is created", arguments: [true, false])
    func created(isReliable: Bool) {
      let call = Call.inviteClient(isReliable: isReliable)
      #expect(call.created == .transmitRequest)
    }

    @Test("starts Timer A with T1 and Timer B with 64·T1 over UDP")
    func timersUnreliable() {
      let call = Call.inviteClient(isReliable: false)
      let a = Retransmission(at: at(500), intervalNanoseconds: 500_000_000)
      #expect(call.state == .calling(a: a, b: at(32_000)))
      #expect(call.deadline == .milliseconds(500))
    }

    @Test("starts Timer B alone over TLS")
    func timersReliable() {
      let call = Call.inviteClient(isReliable: true)
      #expect(call.state == .calling(a: nil, b: at(32_000)))
      #expect(call.deadline == .seconds(32))
    }

    @Test("retransmits after 500, 1500, 3500, 7500, 15500 and 31500 ms and gives up at 32000 ms over UDP")
    func schedule() {
      let call = Call.inviteClient(isReliable: false)
      var expected: [Int64: TransactionActions] = [32_000: [.informTimeout, .terminate]]
      for milliseconds in [500, 1_500, 3_500, 7_500, 15_500, 31_500] as [Int64] {
        expected[milliseconds] = .transmitRequest
      }
      #expect(call.run() == expected)
      #expect(call.state == .terminated)
    }

    @Test("never retransmits over TLS and gives up at 32000 ms")
    func scheduleReliable() {
      let call = Call.inviteClient(isReliable: true)
      #expect(call.run() == [32_000: [.informTimeout, .terminate]])
    }

    @Test("doubles Timer A beyond T2, whatever T1 is")
    func otherT1() {
      let call = Call.inviteClient(isReliable: false, settings: TimerSettings(t1: .seconds(1), t2: .seconds(2)))
      let sent = call.run().filter { $0.value == .transmitRequest }.keys.sorted()
      #expect(sent == [1_000, 3_000, 7_000, 15_000, 31_000, 63_000])
      #expect(call.clock.now == at(64_000))
    }

    @Test("does nothing when it is told of a deadline too early")
    func early() {
      let call = Call.inviteClient(isReliable: false)
      #expect(call.after(.nanoseconds(499_999_999)) == [])
      #expect(call.after(.nanoseconds(1)) == .transmitRequest)
      #expect(call.after(.zero) == [])
    }

    @Test("sends once for all firings of Timer A that a late caller missed, and doubles from there")
    func late() {
      let call = Call.inviteClient(isReliable: false)
      #expect(call.after(.seconds(5)) == .transmitRequest)
      #expect(call.deadline == .milliseconds(6_000))
    }

    @Test("gives up without another INVITE when Timers A and B are both due")
    func bothDue() {
      let call = Call.inviteClient(isReliable: false)
      #expect(call.after(.seconds(40)) == [.informTimeout, .terminate])
    }

    @Test("goes to proceeding on a provisional response", arguments: [100, 180, 183, 199], [true, false])
    func provisional(status: Int, isReliable: Bool) {
      let call = Call.inviteClient(isReliable: isReliable)
      #expect(call.receives(status) == .deliverResponse)
      #expect(call.state == .proceeding)
    }

    @Test("accepts on a 2xx without an ACK of its own", arguments: [200, 202, 299], [true, false])
    func success(status: Int, isReliable: Bool) {
      let call = Call.inviteClient(isReliable: isReliable)
      call.after(.milliseconds(100))
      #expect(call.receives(status) == [.deliverResponse, .releaseMessage])
      #expect(call.state == .accepted(m: at(32_100)))
    }

    @Test("acknowledges a 300-699 and stays for Timer D over UDP", arguments: [300, 404, 486, 503, 600, 699])
    func failure(status: Int) {
      let call = Call.inviteClient(isReliable: false)
      #expect(call.receives(status) == [.transmitAck, .deliverResponse])
      #expect(call.state == .completed(d: at(32_000)))
    }

    @Test("acknowledges a 300-699 and ends at once over TLS: Timer D is zero", arguments: [300, 486, 699])
    func failureReliable(status: Int) {
      let call = Call.inviteClient(isReliable: true)
      #expect(call.receives(status) == [.transmitAck, .deliverResponse, .terminate])
      #expect(call.state == .terminated)
    }

    @Test("informs of a failed transport and ends", arguments: [true, false])
    func transport(isReliable: Bool) {
      let call = Call.inviteClient(isReliable: isReliable)
      #expect(call.transportFailed() == [.informTransportFailure, .terminate])
      #expect(call.state == .terminated)
    }

    @Test("ends in silence when the user abandons it: RFC 3261 §16.8")
    func abandoned() {
      let call = Call.inviteClient(isReliable: true)
      #expect(call.abandon() == .terminate)
      #expect(call.deadline == nil)
    }
  }

  @Suite("proceeding")
  struct Proceeding {
    private func proceeding(isReliable: Bool = false) -> Call {
      let call = Call.inviteClient(isReliable: isReliable)
      _ = call.receives(100)
      return call
    }

    @Test("neither retransmits nor times out: Timers A and B are gone")
    func noTimers() {
      let call = proceeding()
      #expect(call.deadline == nil)
      #expect(call.after(.seconds(3_600)) == [])
      #expect(call.state == .proceeding)
    }

    @Test("delivers every further provisional response")
    func provisional() {
      let call = proceeding()
      for status in [180, 183, 180, 100] { #expect(call.receives(status) == .deliverResponse) }
      #expect(call.state == .proceeding)
    }

    @Test("accepts a 2xx that comes after minutes; Timer M runs from then")
    func success() {
      let call = proceeding()
      call.after(.seconds(120))
      #expect(call.receives(200) == [.deliverResponse, .releaseMessage])
      #expect(call.state == .accepted(m: at(152_000)))
    }

    @Test("acknowledges a 300-699; Timer D runs from then")
    func failure() {
      let call = proceeding()
      call.after(.seconds(10))
      #expect(call.receives(486) == [.transmitAck, .deliverResponse])
      #expect(call.state == .completed(d: at(42_000)))
    }

    @Test("acknowledges a 300-699 and ends at once over TLS")
    func failureReliable() {
      let call = proceeding(isReliable: true)
      #expect(call.receives(487) == [.transmitAck, .deliverResponse, .terminate])
    }

    @Test("outlives its connection: the final response may come over another one")
    func transport() {
      let call = proceeding(isReliable: true)
      #expect(call.transportFailed() == [])
      #expect(call.receives(200) == [.deliverResponse, .releaseMessage])
    }

    @Test("ends in silence when a CANCEL brought nothing: RFC 3261 §9.1")
    func abandoned() {
      let call = proceeding()
      #expect(call.abandon() == .terminate)
      #expect(call.state == .terminated)
    }
  }

  @Suite("completed")
  struct Completed {
    private func completed(settings: TimerSettings = .standard) -> Call {
      let call = Call.inviteClient(isReliable: false, settings: settings)
      _ = call.receives(486)
      return call
    }

    @Test("acknowledges a retransmitted final response again without delivering it")
    func retransmission() {
      let call = completed()
      for _ in 0..<3 {
        call.after(.seconds(4))
        #expect(call.receives(486) == .transmitAck)
      }
      #expect(call.state == .completed(d: at(32_000)))
    }

    @Test("treats another non-2xx as a retransmission: the first decided")
    func other() {
      let call = completed()
      #expect(call.receives(603) == .transmitAck)
    }

    @Test("ignores a late provisional response")
    func provisional() {
      let call = completed()
      #expect(call.receives(180) == [])
    }

    @Test("delivers a late 2xx and sends no ACK for it")
    func success() {
      let call = completed()
      #expect(call.receives(200) == .deliverResponse)
      #expect(call.state == .completed(d: at(32_000)))
    }

    @Test("ends when Timer D fires after 32 s")
    func timerD() {
      let call = completed()
      #expect(call.after(.milliseconds(31_999)) == [])
      #expect(call.after(.milliseconds(1)) == .terminate)
    }

    @Test("runs Timer D for at least 32 s, and for 64·T1 when that is more")
    func timerDBounds() {
      #expect(completed(settings: TimerSettings(t1: .milliseconds(10))).deadline == .seconds(32))
      #expect(completed(settings: TimerSettings(t1: .seconds(1))).deadline == .seconds(64))
    }

    @Test("informs when the ACK could not be sent, and ends")
    func transport() {
      let call = completed()
      #expect(call.transportFailed() == [.informTransportFailure, .terminate])
    }

    @Test("can't be abandoned")
    func abandoned() {
      let call = completed()
      #expect(call.abandon() == [])
      #expect(call.state == .completed(d: at(32_000)))
    }
  }

  @Suite("accepted: RFC 6026 §8.4")
  struct Accepted {
    private func accepted(isReliable: Bool) -> Call {
      let call = Call.inviteClient(isReliable: isReliable)
      _ = call.receives(180)
      _ = call.receives(200)
      return call
    }

    @Test("delivers every further 2xx, retransmitted or of another branch, and never an ACK", arguments: [true, false])
    func success(isReliable: Bool) {
      let call = accepted(isReliable: isReliable)
      for _ in 0..<5 {
        call.after(.seconds(4))
        #expect(call.receives(200) == .deliverResponse)
      }
      #expect(call.state == .accepted(m: at(32_000)))
    }

    @Test("ignores provisional and failure responses", arguments: [100, 180, 300, 408, 487, 603])
    func stray(status: Int) {
      let call = accepted(isReliable: false)
      #expect(call.receives(status) == [])
      #expect(call.state == .accepted(m: at(32_000)))
    }

    @Test("ends when Timer M fires after 64·T1, over TLS too", arguments: [true, false])
    func timerM(isReliable: Bool) {
      let call = accepted(isReliable: isReliable)
      #expect(call.run() == [32_000: .terminate])
      #expect(call.receives(200) == [])
    }

    @Test("sends nothing, so no transport can fail it", arguments: [true, false])
    func transport(isReliable: Bool) {
      let call = accepted(isReliable: isReliable)
      #expect(call.transportFailed() == [])
      #expect(call.abandon() == [])
      #expect(call.deadline == .seconds(32))
    }
  }
}
