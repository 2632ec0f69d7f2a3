import SIPTransaction
import Structures
import Testing

private typealias Exchange = Script<NonInviteClientTransaction>

@Suite("Non-INVITE client transaction: RFC 3261 §17.1.2")
struct NonInviteClientTransactionTests {
  @Test("fits a slot: at most 64 bytes")
  func size() {
    #expect(MemoryLayout<NonInviteClientTransaction>.stride <= 64)
  }

  @Suite("trying")
  struct Trying {
    @Test("sends the request when it is created", arguments: [true, false])
    func created(isReliable: Bool) {
      #expect(Exchange.nonInviteClient(isReliable: isReliable).created == .transmitRequest)
    }

    @Test("starts Timer E with T1 and Timer F with 64·T1 over UDP, Timer F alone over TLS")
    func timers() {
      let datagram = Exchange.nonInviteClient(isReliable: false)
      #expect(
        datagram.state
          == .trying(e: Retransmission(at: at(500), intervalNanoseconds: 500_000_000), f: at(32_000)))
      #expect(datagram.deadline == .milliseconds(500))
      let stream = Exchange.nonInviteClient(isReliable: true)
      #expect(stream.state == .trying(e: nil, f: at(32_000)))
      #expect(stream.deadline == .seconds(32))
    }

    @Test("retransmits at intervals that double up to T2 and gives up at 32000 ms over UDP")
    func schedule() {
      let exchange = Exchange.nonInviteClient(isReliable: false)
      var expected: [Int64: TransactionActions] = [32_000: [.informTimeout, .terminate]]
      for milliseconds in [
        500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
      ] as [Int64] {
        expected[milliseconds] = .transmitRequest
      }
      #expect(exchange.run() == expected)
      #expect(exchange.state == .terminated)
    }

    @Test("never retransmits over TLS and gives up at 32000 ms")
    func scheduleReliable() {
      #expect(Exchange.nonInviteClient(isReliable: true).run() == [32_000: [.informTimeout, .terminate]])
    }

    @Test("caps Timer E at a T2 that is no power of two times T1")
    func unevenT2() {
      let settings = TimerSettings(t1: .milliseconds(500), t2: .seconds(3))
      let sent = Exchange.nonInviteClient(isReliable: false, settings: settings).run()
        .filter { $0.value == .transmitRequest }.keys.sorted()
      #expect(sent.prefix(5) == [500, 1_500, 3_500, 6_500, 9_500])
    }

    @Test("does nothing when it is told of a deadline too early")
    func early() {
      let exchange = Exchange.nonInviteClient(isReliable: false)
      #expect(exchange.after(.nanoseconds(499_999_999)) == [])
      #expect(exchange.after(.nanoseconds(1)) == .transmitRequest)
    }

    @Test("sends once for all firings of Timer E that a late caller missed")
    func late() {
      let exchange = Exchange.nonInviteClient(isReliable: false)
      #expect(exchange.after(.seconds(20)) == .transmitRequest)
      #expect(exchange.deadline == .seconds(21))
      #expect(exchange.after(.seconds(20)) == [.informTimeout, .terminate])
    }

    @Test("delivers a provisional response and proceeds with the Timers E and F that run", arguments: [100, 183])
    func provisional(status: Int) {
      let exchange = Exchange.nonInviteClient(isReliable: false)
      #expect(exchange.after(.milliseconds(500)) == .transmitRequest)
      #expect(exchange.receives(status) == .deliverResponse)
      let e = Retransmission(at: at(1_500), intervalNanoseconds: 1_000_000_000)
      #expect(exchange.state == .proceeding(e: e, f: at(32_000)))
    }

    @Test("delivers a final response and stays for Timer K over UDP", arguments: [200, 302, 404, 503, 699])
    func final(status: Int) {
      let exchange = Exchange.nonInviteClient(isReliable: false)
      exchange.after(.milliseconds(100))
      #expect(exchange.receives(status) == [.deliverResponse, .releaseMessage])
      #expect(exchange.state == .completed(k: at(5_100)))
    }

    @Test("delivers a final response and ends at once over TLS: Timer K is zero", arguments: [200, 404, 699])
    func finalReliable(status: Int) {
      let exchange = Exchange.nonInviteClient(isReliable: true)
      #expect(exchange.receives(status) == [.deliverResponse, .terminate])
      #expect(exchange.state == .terminated)
    }

    @Test("informs of a failed transport and ends", arguments: [true, false])
    func transport(isReliable: Bool) {
      let exchange = Exchange.nonInviteClient(isReliable: isReliable)
      #expect(exchange.transportFailed() == [.informTransportFailure, .terminate])
    }
  }

  @Suite("proceeding")
  struct Proceeding {
    private func proceeding(isReliable: Bool) -> Exchange {
      let exchange = Exchange.nonInviteClient(isReliable: isReliable)
      _ = exchange.receives(100)
      return exchange
    }

    @Test("retransmits every T2 once the running Timer E fired, until Timer F informs of the timeout")
    func schedule() {
      var expected: [Int64: TransactionActions] = [32_000: [.informTimeout, .terminate]]
      for milliseconds in [500, 4_500, 8_500, 12_500, 16_500, 20_500, 24_500, 28_500] as [Int64] {
        expected[milliseconds] = .transmitRequest
      }
      #expect(proceeding(isReliable: false).run() == expected)
    }

    @Test("only waits for Timer F over TLS")
    func scheduleReliable() {
      #expect(proceeding(isReliable: true).run() == [32_000: [.informTimeout, .terminate]])
    }

    @Test("delivers further provisional responses without touching the timers")
    func provisional() {
      let exchange = proceeding(isReliable: false)
      exchange.after(.milliseconds(200))
      #expect(exchange.receives(100) == .deliverResponse)
      let e = Retransmission(at: at(500), intervalNanoseconds: 500_000_000)
      #expect(exchange.state == .proceeding(e: e, f: at(32_000)))
    }

    @Test("delivers a final response; Timer K runs from then")
    func final() {
      let exchange = proceeding(isReliable: false)
      exchange.after(.seconds(2))
      #expect(exchange.receives(200) == [.deliverResponse, .releaseMessage])
      #expect(exchange.state == .completed(k: at(7_000)))
    }

    @Test("ends at once on a final response over TLS")
    func finalReliable() {
      #expect(proceeding(isReliable: true).receives(500) == [.deliverResponse, .terminate])
    }

    @Test("informs of a failed transport and ends", arguments: [true, false])
    func transport(isReliable: Bool) {
      #expect(proceeding(isReliable: isReliable).transportFailed() == [.informTransportFailure, .terminate])
    }
  }

  @Suite("completed")
  struct Completed {
    @Test("absorbs every response until Timer K fires after T4")
    func absorbs() {
      let exchange = Exchange.nonInviteClient(isReliable: false)
      _ = exchange.receives(200)
      for status in [100, 200, 404] { #expect(exchange.receives(status) == []) }
      #expect(exchange.transportFailed() == [])
      #expect(exchange.after(.milliseconds(4_999)) == [])
      #expect(exchange.after(.milliseconds(1)) == .terminate)
      #expect(exchange.state == .terminated)
    }
  }
}
