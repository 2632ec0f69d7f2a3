import Structures
import Testing

@testable import SIPServer

@Suite("Static contacts")
struct StaticContactTests {
  @Test("are found by their address of record, preferred ones first, those of one preference in their order")
  func lookup() {
    var settings = ServerSettings(domains: [], listeners: [], hosts: [])
    #expect(settings.staticContacts(for: Array("a@x".utf8).span).isEmpty)
    let random = TestHashing(seed: 5)
    var keys = (0..<50).map { "user\($0)@example.test" } + ["user@example.test", "user", "user1@example.tes", ""]
    keys.sort { _, _ in random.randomWord() % 2 == 0 }
    for key in keys {
      for (uri, q) in [("sip:1", 500), ("sip:2", 1_000), ("sip:3", 500), ("sip:4", 0)] as [(String, UInt16)] {
        settings.staticContacts.add(StaticContact(uri: Array("\(uri)@\(key)".utf8), q: q), to: Array(key.utf8))
      }
    }
    for key in keys {
      let octets = Array(key.utf8)
      let found = settings.staticContacts(for: octets.span).map { String(decoding: $0.uri, as: UTF8.self) }
      #expect(found == ["sip:2@\(key)", "sip:1@\(key)", "sip:3@\(key)", "sip:4@\(key)"])
    }
    for key in ["user50@example.test", "a", "zzz", "user@example.tesu"] {
      let octets = Array(key.utf8)
      #expect(settings.staticContacts(for: octets.span).isEmpty)
    }
  }

  @Test("are not told in the answer to REGISTER")
  func untold() {
    let node = TestNode {
      $0.staticContacts.add(StaticContact(uri: Array("sip:gw@192.0.2.50".utf8)), to: Array("bob@example.test".utf8))
    }
    var phone = RegisteringPhone(node)
    #expect(phone.contacts().isEmpty)
    #expect(TestNode.headers("Contact", phone.register("Contact: <sip:bob@10.0.0.1>")).count == 1)
  }
}
