import SIPMessage
import SIPServer
import Structures
import Testing

@Suite("Registrations of RFC 4475 and their answers, RFC 3261 §10.3 step 8")
struct RegistrarTortureTests {
  /// What a registrar answers to a REGISTER request: its Contact lines, `later` seconds after it came.
  private func answer(_ lines: String, later: Int64 = 0) throws -> String {
    let message = RegistrationRequestTests.load(lines.replacing("\n", with: "\r\n") + "\r\n\r\n")
    try #require(message.check() == nil)
    var location = InMemoryLocation(now: 1_000)
    let settings = RegistrarSettings(expiresSpread: 0)
    let update = try RegistrationRequestTests.update(message, settings: settings, domain: "example.com")
    guard case .done(let set, _) = location.update(update) else { return "not done" }
    var output: [UInt8] = []
    set.appendContacts(now: 1_000 + later, to: &output)
    return String(decoding: output, as: UTF8.self)
  }

  private func register(_ user: String, _ contacts: String) -> String {
    """
    REGISTER sip:example.com SIP/2.0
    Via: SIP/2.0/UDP saturn.example.com:5060;branch=z9hG4bKkdjuw
    Max-Forwards: 70
    From: sip:\(user)@example.com;tag=DkfVgjkrtMwaerKKpe
    To: sip:\(user)@example.com
    Call-ID: cparam01.70710@saturn.example.com
    CSeq: 14398234 REGISTER
    \(contacts)
    l: 0
    """
  }

  @Test("RFC 4475 §3.3.12: a parameter behind a bare URI belongs to the contact")
  func cparam01() throws {
    #expect(
      try answer(register("watson", "Contact: sip:+19725552222@gw1.example.net;unknownparam"))
        == "Contact: <sip:+19725552222@gw1.example.net>;unknownparam;expires=3600\r\n")
  }

  @Test("RFC 4475 §3.3.13: a parameter inside the brackets belongs to the URI")
  func cparam02() throws {
    #expect(
      try answer(register("watson", "Contact: <sip:+19725552222@gw1.example.net;unknownparam>"))
        == "Contact: <sip:+19725552222@gw1.example.net;unknownparam>;expires=3600\r\n")
  }

  @Test("RFC 4475 §3.3.14: an escaped header field stays in the URI")
  func regescrt() throws {
    #expect(
      try answer(register("user", "M: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>"))
        == "Contact: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>;expires=3600\r\n")
  }

  @Test("RFC 4475 §3.1.1.4: nulls are octets: two contacts, and a name that is not cut short")
  func escnull() throws {
    let request = register(
      "null-%00-null", "Contact: <sip:%00@host5.example.com>\nContact: <sip:%00%00@host5.example.com>")
    #expect(
      try answer(request)
        == "Contact: <sip:%00@host5.example.com>;expires=3600\r\nContact: <sip:%00%00@host5.example.com>;expires=3600\r\n"
    )
    let message = RegistrationRequestTests.load(request.replacing("\n", with: "\r\n") + "\r\n\r\n")
    let aor = try RegistrationRequestTests.update(message, domain: "example.com").aor
    #expect(aor == Array("null-\u{0}-null@example.com".utf8))
  }

  @Test(
    "tells q only where it was given, and the time that is left",
    arguments: [
      ("Contact: <sip:a@h>;q=1", 0, "Contact: <sip:a@h>;q=1;expires=3600\r\n"),
      ("Contact: <sip:a@h>;q=0.250;x", 1, "Contact: <sip:a@h>;x;q=0.25;expires=3599\r\n"),
      ("Contact: <sip:a@h>;expires=60;q=0.0", 59, "Contact: <sip:a@h>;q=0;expires=1\r\n"),
      ("Contact: <sip:a@h>;expires=60", 60, ""),
      (
        "Contact: <sip:a@h>;q=0.105, <tel:+1>;q=0.9", 0,
        "Contact: <tel:+1>;q=0.9;expires=3600\r\nContact: <sip:a@h>;q=0.105;expires=3600\r\n"
      ),
      ("Subject: none", 0, ""),
    ])
  func enumerated(contacts: String, later: Int64, lines: String) throws {
    #expect(try answer(register("a", contacts), later: later) == lines)
  }
}
