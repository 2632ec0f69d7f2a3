import SIPTransaction
import Structures
import Testing

/// Every (state, input) pair of every machine is decided, in a table.
///
/// Of the inputs, `early`, `first` and `all` are the passing of time: to where nothing is due, to the next deadline,
/// to where every timer is due.
@Suite("Every state decides every input")
struct TransitionCoverageTests {
  @Test("INVITE client transaction: RFC 3261 §17.1.1, RFC 6026 §7.2")
  func inviteClient() {
    check(
      [
        .both(.calling, .provisional, .deliverResponse, .proceeding),
        .both(.calling, .success, [.deliverResponse, .releaseMessage], .accepted),
        .udp(.calling, .failure, [.transmitAck, .deliverResponse], .completed),
        .tls(.calling, .failure, [.transmitAck, .deliverResponse, .terminate], .terminated),
        .both(.calling, .early, [], .calling),
        .udp(.calling, .first, .transmitRequest, .calling),
        .tls(.calling, .first, [.informTimeout, .terminate], .terminated),
        .both(.calling, .all, [.informTimeout, .terminate], .terminated),
        .both(.calling, .transportFailed, [.informTransportFailure, .terminate], .terminated),
        .both(.calling, .abandon, .terminate, .terminated),

        .both(.proceeding, .provisional, .deliverResponse, .proceeding),
        .both(.proceeding, .success, [.deliverResponse, .releaseMessage], .accepted),
        .udp(.proceeding, .failure, [.transmitAck, .deliverResponse], .completed),
        .tls(.proceeding, .failure, [.transmitAck, .deliverResponse, .terminate], .terminated),
        .both(.proceeding, .early, [], .proceeding),
        .both(.proceeding, .first, [], .proceeding),
        .both(.proceeding, .all, [], .proceeding),
        .both(.proceeding, .transportFailed, [], .proceeding),
        .both(.proceeding, .abandon, .terminate, .terminated),

        .udp(.completed, .provisional, [], .completed),
        .udp(.completed, .success, .deliverResponse, .completed),
        .udp(.completed, .failure, .transmitAck, .completed),
        .udp(.completed, .early, [], .completed),
        .udp(.completed, .first, .terminate, .terminated),
        .udp(.completed, .all, .terminate, .terminated),
        .udp(.completed, .transportFailed, [.informTransportFailure, .terminate], .terminated),
        .udp(.completed, .abandon, [], .completed),

        .both(.accepted, .provisional, [], .accepted),
        .both(.accepted, .success, .deliverResponse, .accepted),
        .both(.accepted, .failure, [], .accepted),
        .both(.accepted, .early, [], .accepted),
        .both(.accepted, .first, .terminate, .terminated),
        .both(.accepted, .all, .terminate, .terminated),
        .both(.accepted, .transportFailed, [], .accepted),
        .both(.accepted, .abandon, [], .accepted),
      ] + InviteClientTransaction.Input.allCases.map { .both(.terminated, $0, [], .terminated) }
        as [Decision<InviteClientTransaction>])
  }

  @Test("non-INVITE client transaction: RFC 3261 §17.1.2")
  func nonInviteClient() {
    check(
      [
        .both(.trying, .provisional, .deliverResponse, .proceeding),
        .udp(.trying, .success, [.deliverResponse, .releaseMessage], .completed),
        .tls(.trying, .success, [.deliverResponse, .terminate], .terminated),
        .udp(.trying, .failure, [.deliverResponse, .releaseMessage], .completed),
        .tls(.trying, .failure, [.deliverResponse, .terminate], .terminated),
        .both(.trying, .early, [], .trying),
        .udp(.trying, .first, .transmitRequest, .trying),
        .tls(.trying, .first, [.informTimeout, .terminate], .terminated),
        .both(.trying, .all, [.informTimeout, .terminate], .terminated),
        .both(.trying, .transportFailed, [.informTransportFailure, .terminate], .terminated),

        .both(.proceeding, .provisional, .deliverResponse, .proceeding),
        .udp(.proceeding, .success, [.deliverResponse, .releaseMessage], .completed),
        .tls(.proceeding, .success, [.deliverResponse, .terminate], .terminated),
        .udp(.proceeding, .failure, [.deliverResponse, .releaseMessage], .completed),
        .tls(.proceeding, .failure, [.deliverResponse, .terminate], .terminated),
        .both(.proceeding, .early, [], .proceeding),
        .udp(.proceeding, .first, .transmitRequest, .proceeding),
        .tls(.proceeding, .first, [.informTimeout, .terminate], .terminated),
        .both(.proceeding, .all, [.informTimeout, .terminate], .terminated),
        .both(.proceeding, .transportFailed, [.informTransportFailure, .terminate], .terminated),

        .udp(.completed, .provisional, [], .completed),
        .udp(.completed, .success, [], .completed),
        .udp(.completed, .failure, [], .completed),
        .udp(.completed, .early, [], .completed),
        .udp(.completed, .first, .terminate, .terminated),
        .udp(.completed, .all, .terminate, .terminated),
        .udp(.completed, .transportFailed, [], .completed),
      ] + NonInviteClientTransaction.Input.allCases.map { .both(.terminated, $0, [], .terminated) }
        as [Decision<NonInviteClientTransaction>])
  }

  @Test("INVITE server transaction: RFC 3261 §17.2.1, RFC 6026 §7.1")
  func inviteServer() {
    check(
      [
        .both(.unanswered, .invite, [], .unanswered),
        .both(.unanswered, .ack, [], .unanswered),
        .both(.unanswered, .provisional, [.storeResponse, .transmitResponse], .proceeding),
        .both(.unanswered, .success, [.transmitResponse, .releaseMessage], .accepted),
        .both(.unanswered, .failure, [.storeResponse, .transmitResponse], .completed),
        .both(.unanswered, .early, [], .unanswered),
        .both(.unanswered, .first, [], .unanswered),
        .both(.unanswered, .all, [], .unanswered),
        .both(.unanswered, .transportFailed, .informTransportFailure, .unanswered),

        .both(.proceeding, .invite, .retransmitResponse, .proceeding),
        .both(.proceeding, .ack, [], .proceeding),
        .both(.proceeding, .provisional, [.storeResponse, .transmitResponse], .proceeding),
        .both(.proceeding, .success, [.transmitResponse, .releaseMessage], .accepted),
        .both(.proceeding, .failure, [.storeResponse, .transmitResponse], .completed),
        .both(.proceeding, .early, [], .proceeding),
        .both(.proceeding, .first, [], .proceeding),
        .both(.proceeding, .all, [], .proceeding),
        .both(.proceeding, .transportFailed, .informTransportFailure, .proceeding),

        .both(.completed, .invite, .retransmitResponse, .completed),
        .udp(.completed, .ack, .releaseMessage, .confirmed),
        .tls(.completed, .ack, .terminate, .terminated),
        .both(.completed, .provisional, .refuse, .completed),
        .both(.completed, .success, .transmitResponse, .completed),
        .both(.completed, .failure, .refuse, .completed),
        .both(.completed, .early, [], .completed),
        .udp(.completed, .first, .retransmitResponse, .completed),
        .tls(.completed, .first, [.informTimeout, .terminate], .terminated),
        .both(.completed, .all, [.informTimeout, .terminate], .terminated),
        .both(.completed, .transportFailed, .informTransportFailure, .completed),

        .udp(.confirmed, .invite, [], .confirmed),
        .udp(.confirmed, .ack, [], .confirmed),
        .udp(.confirmed, .provisional, .refuse, .confirmed),
        .udp(.confirmed, .success, .transmitResponse, .confirmed),
        .udp(.confirmed, .failure, .refuse, .confirmed),
        .udp(.confirmed, .early, [], .confirmed),
        .udp(.confirmed, .first, .terminate, .terminated),
        .udp(.confirmed, .all, .terminate, .terminated),
        .udp(.confirmed, .transportFailed, [], .confirmed),

        .both(.accepted, .invite, [], .accepted),
        .both(.accepted, .ack, .deliverAck, .accepted),
        .both(.accepted, .provisional, .refuse, .accepted),
        .both(.accepted, .success, .transmitResponse, .accepted),
        .both(.accepted, .failure, .refuse, .accepted),
        .both(.accepted, .early, [], .accepted),
        .both(.accepted, .first, .terminate, .terminated),
        .both(.accepted, .all, .terminate, .terminated),
        .both(.accepted, .transportFailed, .informTransportFailure, .accepted),

        .both(.terminated, .invite, [], .terminated),
        .both(.terminated, .ack, [], .terminated),
        .both(.terminated, .provisional, .refuse, .terminated),
        .both(.terminated, .success, .refuse, .terminated),
        .both(.terminated, .failure, .refuse, .terminated),
        .both(.terminated, .early, [], .terminated),
        .both(.terminated, .first, [], .terminated),
        .both(.terminated, .all, [], .terminated),
        .both(.terminated, .transportFailed, [], .terminated),
      ] as [Decision<InviteServerTransaction>])
  }

  @Test("non-INVITE server transaction: RFC 3261 §17.2.2, RFC 4320 §4")
  func nonInviteServer() {
    check(
      [
        .both(.trying, .request, [], .trying),
        .udp(.trying, .trying100, .refuse, .trying),
        .tls(.trying, .trying100, [.storeResponse, .transmitResponse], .proceeding),
        .both(.trying, .provisional, .refuse, .trying),
        .udp(.trying, .success, [.storeResponse, .transmitResponse], .completed),
        .tls(.trying, .success, [.transmitResponse, .terminate], .terminated),
        .udp(.trying, .failure, [.storeResponse, .transmitResponse], .completed),
        .tls(.trying, .failure, [.transmitResponse, .terminate], .terminated),
        .both(.trying, .timeout408, .refuse, .trying),
        .both(.trying, .early, [], .trying),
        .both(.trying, .first, .send100, .proceeding),
        .both(.trying, .all, .terminate, .terminated),
        .both(.trying, .transportFailed, [], .trying),

        .both(.proceeding, .request, .retransmitResponse, .proceeding),
        .both(.proceeding, .trying100, [.storeResponse, .transmitResponse], .proceeding),
        .both(.proceeding, .provisional, .refuse, .proceeding),
        .udp(.proceeding, .success, [.storeResponse, .transmitResponse], .completed),
        .tls(.proceeding, .success, [.transmitResponse, .terminate], .terminated),
        .udp(.proceeding, .failure, [.storeResponse, .transmitResponse], .completed),
        .tls(.proceeding, .failure, [.transmitResponse, .terminate], .terminated),
        .both(.proceeding, .timeout408, .refuse, .proceeding),
        .both(.proceeding, .early, [], .proceeding),
        .both(.proceeding, .first, .terminate, .terminated),
        .both(.proceeding, .all, .terminate, .terminated),
        .both(.proceeding, .transportFailed, .informTransportFailure, .proceeding),

        .udp(.completed, .request, .retransmitResponse, .completed),
        .udp(.completed, .trying100, .refuse, .completed),
        .udp(.completed, .provisional, .refuse, .completed),
        .udp(.completed, .success, .refuse, .completed),
        .udp(.completed, .failure, .refuse, .completed),
        .udp(.completed, .timeout408, .refuse, .completed),
        .udp(.completed, .early, [], .completed),
        .udp(.completed, .first, .terminate, .terminated),
        .udp(.completed, .all, .terminate, .terminated),
        .udp(.completed, .transportFailed, .informTransportFailure, .completed),

        .both(.terminated, .request, [], .terminated),
        .both(.terminated, .trying100, .refuse, .terminated),
        .both(.terminated, .provisional, .refuse, .terminated),
        .both(.terminated, .success, .refuse, .terminated),
        .both(.terminated, .failure, .refuse, .terminated),
        .both(.terminated, .timeout408, .refuse, .terminated),
        .both(.terminated, .early, [], .terminated),
        .both(.terminated, .first, [], .terminated),
        .both(.terminated, .all, [], .terminated),
        .both(.terminated, .transportFailed, [], .terminated),
      ] as [Decision<NonInviteServerTransaction>])
  }
}
