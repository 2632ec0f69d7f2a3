import SIPMessage
import SIPServer
import Structures
import Testing

@Suite("REGISTER requests, RFC 3261 §10.3")
struct RegistrationRequestTests {
  /// A REGISTER request of alice with the given lines beside the usual ones.
  static func message(_ lines: [String], to: String = "<sip:alice@example.test>", via: String = "198.51.100.1:5060")
    -> Message
  {
    let head = [
      "REGISTER sip:example.test SIP/2.0", "Via: SIP/2.0/UDP \(via);branch=z9hG4bKa", "Max-Forwards: 70",
      "From: \(to);tag=1", "To: \(to)", "Call-ID: call@host", "CSeq: 7 REGISTER",
    ]
    return load((head + lines + ["Content-Length: 0", "", ""]).joined(separator: "\r\n"))
  }

  static func load(_ text: String) -> Message {
    let message = Message()
    let bytes = Array(text.utf8)
    message.load(bytes.span, limits: ParserLimits())
    return message
  }

  static func update(
    _ message: Message, flow: Flow = LocationSamples.stream(1), settings: RegistrarSettings = RegistrarSettings(),
    random: UInt64 = 0, domain: String = "example.test"
  ) throws(RegistrationRefusal) -> RegistrationUpdate {
    let octets = Array(domain.utf8)
    return try RegistrationRequest(message, flow: flow, settings: settings, random: random)
      .update(domain: octets.span, now: 1_000)
  }

  private static func contacts(
    _ lines: [String], flow: Flow = LocationSamples.stream(1), settings: RegistrarSettings = RegistrarSettings(),
    random: UInt64 = 0
  ) throws -> [RegistrationUpdate.ContactChange] {
    let message = message(lines)
    #expect(message.check() == nil)
    guard case .change(let contacts) = try update(message, flow: flow, settings: settings, random: random).operation
    else { return [] }
    return contacts
  }

  private static let times: [([String], Int64)] = [
    (["Contact: <sip:a@h>;expires=200", "Expires: 300"], 200),
    (["Contact: <sip:a@h>", "Expires: 300"], 300),
    (["Contact: <sip:a@h>"], 500),
    (["Contact: <sip:a@h>;expires=0"], 0),
    (["Contact: <sip:a@h>", "Expires: 0"], 0),
    (["Contact: <sip:a@h>;expires=soon", "Expires: 300"], 3_600),
    (["Contact: <sip:a@h>;expires", "Expires: 300"], 3_600),
    (["Contact: <sip:a@h>;expires=-1"], 3_600),
    (["Contact: <sip:a@h>", "Expires: Thu, 01 Dec 1994 16:00:00 GMT"], 3_600),
    (["Contact: <sip:a@h>;expires=99999999999999999999"], 86_400),
    (["m: sip:a@h ; EXPIRES = 4000"], 4_000),
  ]

  @Test(
    "takes the contact's expires, then the header field's, then the default; a malformed one is 3600",
    arguments: times)
  func expires(lines: [String], granted: Int64) throws {
    let settings = RegistrarSettings(defaultExpires: 500, maxExpires: 86_400, expiresSpread: 0)
    #expect(try Self.contacts(lines, settings: settings).map(\.duration) == [granted])
  }

  @Test(
    "refuses a wish above 0, below an hour and below the minimum, and no other",
    arguments: [
      (60, 1, false), (60, 59, false), (60, 60, true), (60, 0, true),
      (7_200, 3_599, false), (7_200, 3_600, true), (7_200, 5_000, true),
    ])
  func intervalTooBrief(minimum: Int64, wish: Int64, isGranted: Bool) throws {
    let settings = RegistrarSettings(minExpires: minimum, expiresSpread: 0)
    let message = Self.message(["Contact: <sip:a@h>;expires=\(wish)"])
    if isGranted {
      #expect(try Self.update(message, settings: settings).operation != .fetch)
    } else {
      #expect(throws: RegistrationRefusal.intervalTooBrief(minimum: minimum)) {
        try Self.update(message, settings: settings)
      }
    }
  }

  @Test("names the minimum in a 423, and only there")
  func minExpires() {
    var lines: [UInt8] = []
    let refusal = RegistrationRefusal.intervalTooBrief(minimum: 60)
    refusal.appendHeaders(to: &lines)
    #expect(String(decoding: lines, as: UTF8.self) == "Min-Expires: 60\r\n")
    #expect(refusal.status == 423)
    RegistrationRefusal.wildcard.appendHeaders(to: &lines)
    #expect(lines.count == 17)
  }

  @Test("never refuses for its brevity a time that the client didn't ask for")
  func shortDefault() throws {
    let settings = RegistrarSettings(defaultExpires: 30, minExpires: 60)
    #expect(try Self.contacts(["Contact: <sip:a@h>"], settings: settings).map(\.duration) == [30])
  }

  @Test("spreads long times only: never longer than asked, never below the minimum, all within the percentage")
  func spread() throws {
    let settings = RegistrarSettings(minExpires: 580, maxExpires: 3_600, expiresSpread: 10)
    let random = TestHashing(seed: 3)
    var seen: Set<Int64> = []
    for _ in 0..<500 {
      let lines = [7_200, 3_600, 600, 599, 0].map { "Contact: <sip:\($0)@h>;expires=\($0)" }
      let times = try Self.contacts(lines, settings: settings, random: random.randomWord()).map(\.duration)
      #expect(times[0] == times[1] && times[0] >= 3_240 && times[0] <= 3_600)
      #expect(times[2] >= 580 && times[2] <= 600)
      #expect(times[3] == 599 && times[4] == 0)
      seen.insert(times[0])
    }
    #expect(seen.count > 100)
  }

  @Test(
    "takes the wildcard alone and with Expires 0 only",
    arguments: [
      (["Contact: *", "Expires: 0"], true), (["Contact: *", "Expires: 00"], true),
      (["Contact: *"], false), (["Contact: *", "Expires: 60"], false), (["Contact: *", "Expires: x"], false),
      (["Contact: *, <sip:a@h>", "Expires: 0"], false), (["Contact: *", "Contact: <sip:a@h>", "Expires: 0"], false),
      (["Contact: *, *", "Expires: 0"], false),
    ])
  func wildcard(lines: [String], isTaken: Bool) throws {
    if isTaken {
      #expect(try Self.update(Self.message(lines)).operation == .removeAll)
    } else {
      #expect(throws: RegistrationRefusal.wildcard) { try Self.update(Self.message(lines)) }
    }
  }

  @Test("fetches when there is no Contact")
  func fetch() throws {
    let update = try Self.update(Self.message(["Expires: 0"]))
    #expect(update.operation == .fetch)
    #expect(update.cseq == 7 && update.callID == Array("call@host".utf8))
  }

  private static let preferences: [(String, UInt16?)] = [
    ("0", 0), ("1", 1_000), ("0.5", 500), ("0.25", 250), ("0.001", 1), ("1.000", 1_000), ("0.", 0),
    ("1.001", nil), ("2", nil), (".5", nil), ("0.1234", nil), ("\"0.5\"", nil), ("0.5x", nil), ("high", nil),
  ]

  @Test(
    "reads q in thousandths and refuses what is none",
    arguments: preferences)
  func preference(text: String, q: UInt16?) throws {
    guard let q else {
      #expect(throws: RegistrationRefusal.preference) { try Self.contacts(["Contact: <sip:a@h>;q=\(text)"]) }
      return
    }
    #expect(try Self.contacts(["Contact: <sip:a@h>;q=\(text)"]).map(\.q) == [q])
  }

  @Test("keeps instance, reg-id, other parameters and Path as they came")
  func identity() throws {
    let message = Self.message([
      "Contact: \"A\" <sip:a@h;ob> ; +sip.instance=\"<urn:uuid:1-2>\" ;reg-id=3;q=0.5\r\n ;audio;methods=\"A,\r\n B\"",
      "Path: <sip:edge1.test;lr;ob>, <sip:edge2.test;lr>", "Path: \"x, y\" <sips:edge3.test;lr>", "User-Agent: phone/1",
      "Supported: path",
    ])
    #expect(message.check() == nil)
    let update = try Self.update(message)
    guard case .change(let contacts) = update.operation, let contact = contacts.first else {
      return #expect(Bool(false))
    }
    #expect(contact.uri == Array("sip:a@h;ob".utf8))
    #expect(contact.instance == Array("urn:uuid:1-2".utf8))
    #expect(contact.regID == 3)
    let parameters = ";+sip.instance=\"<urn:uuid:1-2>\";reg-id=3;audio;methods=\"A,   B\""
    #expect(contact.parameters == Array(parameters.utf8))
    #expect(
      update.path == Array("<sip:edge1.test;lr;ob>,<sip:edge2.test;lr>,\"x, y\" <sips:edge3.test;lr>".utf8))
    #expect(update.userAgent == Array("phone/1".utf8))
  }

  @Test("ignores a reg-id that is out of range", arguments: ["0", "2147483648", "x"])
  func regIDOutOfRange(text: String) throws {
    let contact = "Contact: <sip:a@h>;+sip.instance=\"<urn:x:1>\";reg-id=\(text)"
    #expect(try Self.contacts([contact]).map(\.regID) == [nil])
  }

  @Test("refuses a Path that can be no Route", arguments: ["sip:edge.test;lr", "<mailto:a@b>", "<sip:edge.test"])
  func malformedPath(value: String) {
    #expect(throws: RegistrationRefusal.path) {
      try Self.update(Self.message(["Path: \(value)", "Supported: path"]))
    }
  }

  @Test(
    "reaches a contact over its flow: always on a stream, on UDP behind a NAT or without a numeric address",
    arguments: [
      ("198.51.100.1", "sip:a@198.51.100.1", false), ("198.51.100.1:9", "sip:a@203.0.113.9:5070", false),
      ("10.0.0.1", "sip:a@198.51.100.1", true), ("phone.test", "sip:a@198.51.100.1", true),
      ("[2001:db8::1]", "sip:a@198.51.100.1", true), ("198.51.100.1", "sip:a@phone.test", true),
      ("[::ffff:198.51.100.1]", "sip:a@[2001:db8::1]", false),
      ("10.0.0.1", "mailto:a@phone.test", false),
    ])
  func reach(via: String, contact: String, isReachedByFlow: Bool) throws {
    let message = Self.message(["Contact: <\(contact)>"], via: via)
    let datagram = LocationSamples.datagram(0xC633_6401, port: 40_000)
    for flow in [datagram, LocationSamples.stream(1)] {
      guard case .change(let contacts) = try Self.update(message, flow: flow).operation else { continue }
      let isSIP = contact.hasPrefix("sip:")
      #expect(contacts.map(\.isReachedByFlow) == [flow == datagram ? isReachedByFlow : isSIP])
    }
  }

  @Test(
    "makes the canonical address of record: no parameters, no escapes, the domain's own name",
    arguments: [
      ("<sip:alice@EXAMPLE.test:5060;user=phone>", "alice@canonical.test"),
      ("<sips:%61lice:secret@alias.test>;x=y", "alice@canonical.test"),
      ("<sip:Alice@alias.test>", "Alice@canonical.test"),
    ])
  func addressOfRecord(to: String, aor: String) throws {
    let update = try Self.update(Self.message([], to: to), domain: "canonical.test")
    #expect(String(decoding: update.aor, as: UTF8.self) == aor)
  }

  @Test("finds no address of record in a To without user or SIP URI", arguments: ["<sip:example.test>", "<tel:+1>"])
  func noAddressOfRecord(to: String) {
    #expect(throws: RegistrationRefusal.notFound) { try Self.update(Self.message([], to: to)) }
    #expect(RegistrationRefusal.notFound.status == 404)
  }

  @Test("bounds how many contacts one request may name")
  func manyContacts() throws {
    let lines = (0..<20).map { "Contact: <sip:\($0)@h>" }
    #expect(try Self.contacts(lines).count == 20)
    #expect(throws: RegistrationRefusal.tooManyContacts) {
      try Self.update(Self.message(lines + ["Contact: <sip:z@h>;expires=0"]))
    }
  }
}
