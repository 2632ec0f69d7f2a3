import SIPServer
import Structures
import Testing

@Suite("Merged REGISTER requests, RFC 3261 §8.2.2.2")
struct MergedRegisterTests {
  private static let contact = "Contact: <sip:bob@10.0.0.1>"

  @Test("a copy that came another way while the first is under way gets 482, over whatever connection it comes")
  func merged() {
    for transport in [TransportProtocol.tls, .udp] {
      let node = TestNode()
      let phone = RegisteringPhone(node, "phone", transport)
      // A datagram is answered at the address in Via, so only a connection can be another one.
      let other = transport == .udp ? phone.peer : node.peer("other", transport)
      node.send(phone.text(Self.contact, cseq: 1), from: phone.peer)
      node.send(phone.text(Self.contact, cseq: 1, branch: "copy1"), from: other)
      node.send(phone.text(Self.contact, cseq: 1, branch: "copy2"), from: phone.peer)
      let answers = node.received(by: other) + node.received(by: phone.peer)
      #expect(answers.map(RegisteringPhone.status) == [482, 482])
      node.settle()
      #expect(RegisteringPhone.status(of: node.one(by: phone.peer)) == 200)
      node.expectNothingLeft()
    }
  }

  @Test("another CSeq, Call-ID or From tag, or a To tag, is no copy")
  func others() {
    let node = TestNode()
    let phone = RegisteringPhone(node)
    let text = phone.text(Self.contact, cseq: 5)
    node.send(text, from: phone.peer)
    for (old, new) in [
      ("CSeq: 5", "CSeq: 6"), ("Call-ID: phone", "Call-ID: fone"), ("test>;tag=1", "test>;tag=2"),
      ("To: <sip:bob@example.test>", "To: <sip:bob@example.test>;tag=x"),
    ] {
      let changed = text.replacing(old, with: new)
      #expect(changed != text)
      node.send(changed.replacing("bKphone5", with: "bK\(old.utf8.count)\(new.utf8.count)"), from: phone.peer)
    }
    #expect(node.received(by: phone.peer).isEmpty)
    node.settle()
    let answers = node.received(by: phone.peer).map(RegisteringPhone.status)
    #expect(answers.count == 5 && !answers.contains(482))
    node.expectNothingLeft()
  }

  @Test("over UDP the first transaction lasts for 64*T1, and so does its memory; then the copy is a late request")
  func lasting() {
    let node = TestNode()
    let phone = RegisteringPhone(node, "phone", .udp)
    node.send(phone.text(Self.contact, cseq: 1), from: phone.peer)
    node.settle()
    #expect(RegisteringPhone.status(of: node.one(by: phone.peer)) == 200)
    node.advance(.seconds(30))
    node.send(phone.text(Self.contact, cseq: 1, branch: "copy1"), from: phone.peer)
    #expect(RegisteringPhone.status(of: node.one(by: phone.peer)) == 482)
    node.advance(.seconds(3))
    node.send(phone.text(Self.contact, cseq: 1, branch: "copy2"), from: phone.peer)
    node.settle()
    #expect(RegisteringPhone.status(of: node.one(by: phone.peer)) == 500)
    node.expectNothingLeft()
  }
}
