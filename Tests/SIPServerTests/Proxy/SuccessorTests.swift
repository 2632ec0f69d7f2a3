import SIPServer
import Structures
import Testing

@Suite("The successor of a contact that is gone, RFC 3261 §16.5, RFC 5626 §5.3.1")
struct SuccessorTests {
  @Test("is no contact that is in the target set itself: each is tried once")
  func waitingTarget() {
    let node = TestNode()
    let (alice, first, second) = (node.peer("alice"), node.peer("first"), node.peer("second"))
    node.register("bob", first, ";q=0.9")
    node.register("bob", second, ";q=0.5")
    node.send(node.request("INVITE", from: alice, branch: "x"), from: alice)
    node.settle()
    _ = node.one(by: first)
    node.close(first)
    node.settle()
    let invite = node.one(by: second)
    node.send(TestNode.response("486 Busy Here", to: invite), from: second)
    node.settle()
    #expect(TestNode.start(node.one(by: second)).hasPrefix("ACK "))
    #expect(TestNode.start(node.received(by: alice).last ?? "") == "SIP/2.0 486 Busy Here")
    node.expectNothingLeft()
  }
}
