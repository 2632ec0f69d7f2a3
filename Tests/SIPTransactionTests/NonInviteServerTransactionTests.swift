import SIPTransaction
import Structures
import Testing

private typealias Exchange = Script<NonInviteServerTransaction>

@Suite("Non-INVITE server transaction: RFC 3261 §17.2.2, RFC 4320 §4")
struct NonInviteServerTransactionTests {
  @Test("fits a slot: at most 64 bytes")
  func size() {
    #expect(MemoryLayout<NonInviteServerTransaction>.stride <= 64)
  }

  @Suite("trying")
  struct Trying {
    @Test("hands the request to the user and sends nothing", arguments: [true, false])
    func created(isReliable: Bool) {
      let exchange = Exchange.nonInviteServer(isReliable: isReliable)
      #expect(exchange.created == .deliverRequest)
      #expect(exchange.state == .trying(due: at(3_500), end: at(32_000)))
    }

    @Test("absorbs a retransmission")
    func retransmission() {
      let exchange = Exchange.nonInviteServer(isReliable: false)
      #expect(exchange.receivesRequest() == [])
      #expect(exchange.state == .trying(due: at(3_500), end: at(32_000)))
    }

    @Test("sends a 100 once the client's Timer E reached T2, over TLS too: RFC 4320 §4.1", arguments: [true, false])
    func due(isReliable: Bool) {
      let exchange = Exchange.nonInviteServer(isReliable: isReliable)
      #expect(exchange.after(.milliseconds(3_499)) == [])
      #expect(exchange.after(.milliseconds(1)) == .send100)
      #expect(exchange.state == .proceeding(end: at(32_000)))
    }

    @Test("sends a 100 after 3500 ms and ends in silence at 32000 ms when no one answers: RFC 4320 §4.2")
    func silent() {
      let exchange = Exchange.nonInviteServer(isReliable: false)
      #expect(exchange.run() == [3_500: .send100, 32_000: .terminate])
      #expect(exchange.state == .terminated)
    }

    @Test("ends without a 100 when it is told of both too late")
    func late() {
      #expect(Exchange.nonInviteServer(isReliable: false).after(.seconds(33)) == .terminate)
    }

    @Test("refuses a 100 of the user over UDP before Timer E reached T2, and sends it from then on: RFC 4320 §4.1")
    func early100() {
      let exchange = Exchange.nonInviteServer(isReliable: false)
      #expect(exchange.responds(100) == .refuse)
      exchange.clock.advance(by: .milliseconds(3_500))
      #expect(exchange.responds(100) == [.storeResponse, .transmitResponse])
      #expect(exchange.state == .proceeding(end: at(32_000)))
      #expect(exchange.run() == [32_000: .terminate])
    }

    @Test("sends a 100 of the user over TLS at any time")
    func reliable100() {
      let exchange = Exchange.nonInviteServer(isReliable: true)
      #expect(exchange.responds(100) == [.storeResponse, .transmitResponse])
      #expect(exchange.state == .proceeding(end: at(32_000)))
    }

    @Test("refuses any other provisional response: RFC 4320 §4.1", arguments: [101, 180, 183, 199], [true, false])
    func provisional(status: Int, isReliable: Bool) {
      let exchange = Exchange.nonInviteServer(isReliable: isReliable)
      #expect(exchange.responds(status) == .refuse)
      #expect(exchange.state == .trying(due: at(3_500), end: at(32_000)))
    }

    @Test("sends and keeps a final response; Timer J runs 64·T1 over UDP", arguments: [200, 302, 404, 481, 503, 699])
    func final(status: Int) {
      let exchange = Exchange.nonInviteServer(isReliable: false)
      exchange.after(.milliseconds(50))
      #expect(exchange.responds(status) == [.storeResponse, .transmitResponse])
      #expect(exchange.state == .completed(j: at(32_050)))
    }

    @Test("sends a final response and ends at once over TLS: Timer J is zero", arguments: [200, 404, 699])
    func finalReliable(status: Int) {
      let exchange = Exchange.nonInviteServer(isReliable: true)
      #expect(exchange.responds(status) == [.transmitResponse, .terminate])
      #expect(exchange.state == .terminated)
    }

    @Test("refuses a 408 and stays: RFC 4320 §4.2", arguments: [true, false])
    func timeout(isReliable: Bool) {
      let exchange = Exchange.nonInviteServer(isReliable: isReliable)
      #expect(exchange.responds(408) == .refuse)
      #expect(exchange.responds(404) != .refuse)
    }

    @Test("has sent nothing that a transport could fail")
    func transport() {
      #expect(Exchange.nonInviteServer(isReliable: false).transportFailed() == [])
    }
  }

  @Suite("proceeding")
  struct Proceeding {
    private func proceeding(isReliable: Bool) -> Exchange {
      let exchange = Exchange.nonInviteServer(isReliable: isReliable)
      exchange.after(.milliseconds(3_500))
      return exchange
    }

    @Test("repeats the 100 for a retransmission")
    func retransmission() {
      #expect(proceeding(isReliable: false).receivesRequest() == .retransmitResponse)
    }

    @Test("sends further 100s of the user and refuses other provisional responses")
    func provisional() {
      let exchange = proceeding(isReliable: false)
      #expect(exchange.responds(100) == [.storeResponse, .transmitResponse])
      #expect(exchange.responds(182) == .refuse)
      #expect(exchange.state == .proceeding(end: at(32_000)))
    }

    @Test("sends and keeps a final response; Timer J runs from then")
    func final() {
      let exchange = proceeding(isReliable: false)
      exchange.after(.milliseconds(500))
      #expect(exchange.responds(200) == [.storeResponse, .transmitResponse])
      #expect(exchange.state == .completed(j: at(36_000)))
    }

    @Test("ends at once with a final response over TLS")
    func finalReliable() {
      #expect(proceeding(isReliable: true).responds(200) == [.transmitResponse, .terminate])
    }

    @Test("refuses a 408: RFC 4320 §4.2")
    func timeout() {
      #expect(proceeding(isReliable: false).responds(408) == .refuse)
    }

    @Test("ends in silence 64·T1 after the request", arguments: [true, false])
    func silent(isReliable: Bool) {
      #expect(proceeding(isReliable: isReliable).run() == [32_000: .terminate])
    }

    @Test("informs of a failed transport and stays: RFC 6026 §8.8")
    func transport() {
      let exchange = proceeding(isReliable: false)
      #expect(exchange.transportFailed() == .informTransportFailure)
      #expect(exchange.receivesRequest() == .retransmitResponse)
    }
  }

  @Suite("completed")
  struct Completed {
    private func completed() -> Exchange {
      let exchange = Exchange.nonInviteServer(isReliable: false)
      _ = exchange.responds(200)
      return exchange
    }

    @Test("repeats the response for each retransmission and never by itself")
    func retransmission() {
      let exchange = completed()
      for _ in 0..<3 {
        #expect(exchange.after(.seconds(4)) == [])
        #expect(exchange.receivesRequest() == .retransmitResponse)
      }
    }

    @Test("refuses every further response", arguments: [100, 200, 404, 503])
    func refuses(status: Int) {
      #expect(completed().responds(status) == .refuse)
    }

    @Test("ends when Timer J fires after 64·T1")
    func timerJ() {
      let exchange = completed()
      #expect(exchange.after(.milliseconds(31_999)) == [])
      #expect(exchange.after(.milliseconds(1)) == .terminate)
    }

    @Test("informs of a failed transport and stays: RFC 6026 §8.8")
    func transport() {
      let exchange = completed()
      #expect(exchange.transportFailed() == .informTransportFailure)
      #expect(exchange.deadline == .seconds(32))
    }
  }
}
