import SIPServer
import Structures
import Testing

@Suite("SIPS at the registrar, RFC 5630 §5.2")
struct SIPSRegistrationTests {
  @Test(
    "a SIPS contact is taken only when Request-URI, all contacts and all of Path are SIPS; From and To don't matter",
    arguments: [
      ("sips:example.test", "Contact: <sips:bob@10.0.0.1>", 200),
      ("sips:example.test", "Contact: <SIPS:bob@10.0.0.1>, <sips:bob@10.0.0.2>", 200),
      ("sip:example.test", "Contact: <sips:bob@10.0.0.1>", 400),
      ("sips:example.test", "Contact: <sips:bob@10.0.0.1>, <sip:bob@10.0.0.2>", 400),
      ("sips:example.test", "Contact: <sips:bob@10.0.0.1>, <mailto:bob@x.test>", 400),
      ("sips:example.test", "Supported: path\nContact: <sips:bob@10.0.0.1>\nPath: <sips:p1.test;lr>", 200),
      (
        "sips:example.test", "Supported: path\nContact: <sips:bob@10.0.0.1>\nPath: <sips:p1.test;lr>, <sip:p2.test;lr>",
        400
      ),
      ("sips:example.test", "Contact: <sip:bob@10.0.0.1>", 200),
      ("sip:example.test", "Contact: <sips:bob@10.0.0.1>;expires=0", 200),
      ("sip:example.test", "Contact: *\nExpires: 0", 200),
    ])
  func consistent(uri: String, lines: String, status: Int) {
    let node = TestNode()
    var phone = RegisteringPhone(node)
    phone.requestURI = uri
    #expect(phone.status(lines) == status)
    if status == 400 { #expect(phone.contacts().isEmpty) }
    node.expectNothingLeft()
  }

  @Test("SIP and SIPS addresses of record are the same user (RFC 5630 §4.1, §5.2)")
  func sameUser() {
    let node = TestNode()
    var phone = RegisteringPhone(node)
    _ = phone.register("Contact: <sip:bob@10.0.0.1>")
    let text = phone.text("", cseq: 7).replacing("To: <sip:", with: "To: <sips:")
    node.send(text.replacing("From: <sip:", with: "From: <sips:"), from: phone.peer)
    node.settle()
    #expect(TestNode.headers("Contact", node.one(by: phone.peer)).count == 1)
    node.expectNothingLeft()
  }

  @Test("a SIP contact and its SIPS version replace each other (RFC 5630 §5.1.1.1)")
  func replaced() {
    let node = TestNode()
    var phone = RegisteringPhone(node)
    for uri in ["sips:bob@10.0.0.1;x=y", "sip:bob@10.0.0.1;x=y", "sips:bob@10.0.0.1;x=y"] {
      phone.requestURI = uri.hasPrefix("sips:") ? "sips:example.test" : "sip:example.test"
      _ = phone.register("Contact: <\(uri)>")
      #expect(phone.contacts() == ["<\(uri)>;expires=3600"])
    }
    node.expectNothingLeft()
  }
}
