import SIPTransaction
import Structures
import Testing

private typealias Call = Script<InviteServerTransaction>

@Suite("INVITE server transaction: RFC 3261 §17.2.1, RFC 6026 §7.1")
struct InviteServerTransactionTests {
  @Test("fits a slot: at most 64 bytes")
  func size() {
    #expect(MemoryLayout<InviteServerTransaction>.stride <= 64)
  }

  @Suite("proceeding")
  struct Proceeding {
    @Test("hands the INVITE to the user and runs no timer", arguments: [true, false])
    func created(isReliable: Bool) {
      let call = Call.inviteServer(isReliable: isReliable)
      #expect(call.created == .deliverRequest)
      #expect(call.state == .proceeding(hasResponse: false))
      #expect(call.deadline == nil)
      #expect(call.after(.seconds(3_600)) == [])
    }

    @Test("absorbs a retransmitted INVITE while there is nothing to answer it with")
    func retransmissionUnanswered() {
      #expect(Call.inviteServer(isReliable: false).receivesInvite() == [])
    }

    @Test("sends and keeps each provisional response, and repeats the last one for a retransmitted INVITE")
    func provisional() {
      let call = Call.inviteServer(isReliable: false)
      for status in [100, 180, 183] {
        #expect(call.responds(status) == [.storeResponse, .transmitResponse])
        #expect(call.receivesInvite() == .retransmitResponse)
      }
      #expect(call.state == .proceeding(hasResponse: true))
    }

    @Test("never repeats a provisional response by itself")
    func unrepeated() {
      let call = Call.inviteServer(isReliable: false)
      _ = call.responds(180)
      #expect(call.run() == [:])
    }

    @Test("sends a 2xx without keeping it and accepts; Timer L runs 64·T1", arguments: [200, 299], [true, false])
    func success(status: Int, isReliable: Bool) {
      let call = Call.inviteServer(isReliable: isReliable)
      call.after(.seconds(9))
      #expect(call.responds(status) == [.transmitResponse, .releaseMessage])
      #expect(call.state == .accepted(l: at(41_000)))
    }

    @Test("sends and keeps a 300-699; Timer G runs T1 and Timer H 64·T1 over UDP", arguments: [300, 486, 699])
    func failure(status: Int) {
      let call = Call.inviteServer(isReliable: false)
      _ = call.responds(180)
      call.after(.seconds(1))
      #expect(call.responds(status) == [.storeResponse, .transmitResponse])
      let g = Retransmission(at: at(1_500), intervalNanoseconds: 500_000_000)
      #expect(call.state == .completed(g: g, h: at(33_000)))
    }

    @Test("runs Timer H alone after a 300-699 over TLS")
    func failureReliable() {
      let call = Call.inviteServer(isReliable: true)
      #expect(call.responds(486) == [.storeResponse, .transmitResponse])
      #expect(call.state == .completed(g: nil, h: at(32_000)))
    }

    @Test("stays when a response can't be sent, so that a retransmitted INVITE isn't a new one: RFC 6026 §7.1")
    func transport() {
      let call = Call.inviteServer(isReliable: false)
      _ = call.responds(180)
      #expect(call.transportFailed() == .informTransportFailure)
      #expect(call.receivesInvite() == .retransmitResponse)
    }

    @Test("ignores an ACK")
    func ack() {
      let call = Call.inviteServer(isReliable: false)
      #expect(call.receivesAck() == [])
      #expect(call.state == .proceeding(hasResponse: false))
    }
  }

  @Suite("completed")
  struct Completed {
    private func completed(isReliable: Bool) -> Call {
      let call = Call.inviteServer(isReliable: isReliable)
      _ = call.responds(486)
      return call
    }

    @Test("repeats the response at intervals that double up to T2 and informs at 32000 ms that no ACK came")
    func schedule() {
      var expected: [Int64: TransactionActions] = [32_000: [.informTimeout, .terminate]]
      for milliseconds in [
        500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
      ] as [Int64] {
        expected[milliseconds] = .retransmitResponse
      }
      let call = completed(isReliable: false)
      #expect(call.run() == expected)
      #expect(call.state == .terminated)
    }

    @Test("repeats nothing by itself over TLS, and informs at 32000 ms that no ACK came")
    func scheduleReliable() {
      #expect(completed(isReliable: true).run() == [32_000: [.informTimeout, .terminate]])
    }

    @Test("does nothing when it is told of a deadline too early, and sends once for a late one")
    func earlyAndLate() {
      let call = completed(isReliable: false)
      #expect(call.after(.nanoseconds(499_999_999)) == [])
      #expect(call.after(.seconds(6)) == .retransmitResponse)
      #expect(call.after(.zero) == [])
      #expect(call.after(.seconds(30)) == [.informTimeout, .terminate])
    }

    @Test("repeats the response for a retransmitted INVITE and leaves Timer G alone", arguments: [true, false])
    func retransmission(isReliable: Bool) {
      let call = completed(isReliable: isReliable)
      let deadline = call.deadline
      call.after(.milliseconds(100))
      #expect(call.receivesInvite() == .retransmitResponse)
      #expect(call.deadline == deadline)
    }

    @Test("is confirmed by the ACK; Timer I runs T4 over UDP")
    func ack() {
      let call = completed(isReliable: false)
      call.after(.milliseconds(200))
      #expect(call.receivesAck() == .releaseMessage)
      #expect(call.state == .confirmed(i: at(5_200)))
    }

    @Test("ends with the ACK over TLS: Timer I is zero")
    func ackReliable() {
      let call = completed(isReliable: true)
      #expect(call.receivesAck() == .terminate)
      #expect(call.state == .terminated)
    }

    @Test("refuses a provisional or a second failure response", arguments: [100, 180, 302, 486, 603])
    func refuses(status: Int) {
      let call = completed(isReliable: false)
      let state = call.state
      #expect(call.responds(status) == .refuse)
      #expect(call.state == state)
    }

    @Test("passes on a late 2xx of a proxy and stays: RFC 3261 §16.7")
    func success() {
      let call = completed(isReliable: false)
      let state = call.state
      #expect(call.responds(200) == .transmitResponse)
      #expect(call.state == state)
    }

    @Test("stays when the response can't be sent: RFC 6026 §8.8")
    func transport() {
      let call = completed(isReliable: false)
      #expect(call.transportFailed() == .informTransportFailure)
      #expect(call.after(.milliseconds(500)) == .retransmitResponse)
    }
  }

  @Suite("confirmed")
  struct Confirmed {
    private func confirmed() -> Call {
      let call = Call.inviteServer(isReliable: false)
      _ = call.responds(486)
      _ = call.receivesAck()
      return call
    }

    @Test("absorbs further ACKs and INVITEs until Timer I fires after T4")
    func absorbs() {
      let call = confirmed()
      call.after(.seconds(1))
      #expect(call.receivesAck() == [])
      #expect(call.receivesInvite() == [])
      #expect(call.transportFailed() == [])
      #expect(call.state == .confirmed(i: at(5_000)))
      #expect(call.after(.milliseconds(3_999)) == [])
      #expect(call.after(.milliseconds(1)) == .terminate)
    }

    @Test("repeats the response no longer: Timers G and H are gone")
    func quiet() {
      #expect(confirmed().run() == [5_000: .terminate])
    }

    @Test("refuses responses, but passes on a late 2xx")
    func responses() {
      let call = confirmed()
      #expect(call.responds(180) == .refuse)
      #expect(call.responds(486) == .refuse)
      #expect(call.responds(200) == .transmitResponse)
    }
  }

  @Suite("accepted: RFC 6026 §8.7")
  struct Accepted {
    private func accepted(isReliable: Bool) -> Call {
      let call = Call.inviteServer(isReliable: isReliable)
      _ = call.responds(200)
      return call
    }

    @Test("absorbs a retransmitted INVITE without an answer", arguments: [true, false])
    func retransmission(isReliable: Bool) {
      let call = accepted(isReliable: isReliable)
      #expect(call.receivesInvite() == [])
      #expect(call.state == .accepted(l: at(32_000)))
    }

    @Test("passes on every further 2xx, retransmitted or of another branch")
    func success() {
      let call = accepted(isReliable: false)
      for _ in 0..<3 { #expect(call.responds(200) == .transmitResponse) }
      #expect(call.state == .accepted(l: at(32_000)))
    }

    @Test("hands each ACK to the user and stays", arguments: [true, false])
    func ack(isReliable: Bool) {
      let call = accepted(isReliable: isReliable)
      for _ in 0..<2 { #expect(call.receivesAck() == .deliverAck) }
      #expect(call.state == .accepted(l: at(32_000)))
    }

    @Test("refuses provisional and failure responses", arguments: [100, 183, 300, 487, 699])
    func refuses(status: Int) {
      #expect(accepted(isReliable: false).responds(status) == .refuse)
    }

    @Test("repeats nothing by itself and ends when Timer L fires after 64·T1, over TLS too", arguments: [true, false])
    func timerL(isReliable: Bool) {
      let call = accepted(isReliable: isReliable)
      #expect(call.run() == [32_000: .terminate])
      #expect(call.state == .terminated)
    }

    @Test("informs of a failed transport and stays", arguments: [true, false])
    func transport(isReliable: Bool) {
      let call = accepted(isReliable: isReliable)
      #expect(call.transportFailed() == .informTransportFailure)
      #expect(call.receivesInvite() == [])
      #expect(call.deadline == .seconds(32))
    }
  }
}
