import SIPServer
import Structures
import Testing

@Suite("Path and Service-Route, RFC 3327 §5.3, RFC 3608 §6.3")
struct PathTests {
  private static let contact = "Contact: <sip:bob@10.0.0.1>"

  /// The Path of each of bob's bindings, by contact URI.
  private static func paths(_ node: TestNode) -> [String: String] {
    let aor = Array("bob@example.test".utf8)
    var paths: [String: String] = [:]
    for binding in node.location.lookup(aor: aor.span, now: node.core.unixSeconds)?.bindings ?? [] {
      paths[String(decoding: binding.uri, as: UTF8.self)] = String(decoding: binding.path, as: UTF8.self)
    }
    return paths
  }

  @Test("Path is kept with the binding in its order and comes back in the 200, and only with the request that had it")
  func copied() {
    let node = TestNode()
    var phone = RegisteringPhone(node)
    let lines = "Path: <sip:p1.test;lr>, \"P, 2\" <sip:x@p2.test;lr>;y=z\nPath: <sips:p3.test;lr>"
    let whole = "<sip:p1.test;lr>,\"P, 2\" <sip:x@p2.test;lr>;y=z,<sips:p3.test;lr>"
    let answer = phone.register("Supported: path\n\(Self.contact)\n\(lines)")
    #expect(TestNode.headers("Path", answer) == [whole])
    #expect(Self.paths(node) == ["sip:bob@10.0.0.1": whole])
    #expect(TestNode.headers("Path", phone.register()).isEmpty)
    let other = phone.register("Supported: path\nContact: <sip:bob@10.0.0.2>\nPath: <sip:p4.test;lr>")
    #expect(TestNode.headers("Path", other) == ["<sip:p4.test;lr>"])
    #expect(Self.paths(node) == ["sip:bob@10.0.0.1": whole, "sip:bob@10.0.0.2": "<sip:p4.test;lr>"])
    // A refresh has the Path of its own way.
    _ = phone.register("Supported: path\n\(Self.contact)")
    #expect(Self.paths(node)["sip:bob@10.0.0.1"]?.isEmpty == true)
    node.expectNothingLeft()
  }

  @Test("a Path for a client that doesn't support it is refused with 420, naming it, and changes nothing")
  func unsupported() {
    let node = TestNode()
    var phone = RegisteringPhone(node)
    for supported in ["", "Supported: outbound, paths\n"] {
      let answer = phone.register("\(supported)\(Self.contact)\nPath: <sip:p1.test;lr>")
      #expect(TestNode.start(answer) == "SIP/2.0 420 Bad Extension")
      #expect(TestNode.header("Unsupported", answer) == "path")
    }
    #expect(phone.contacts().isEmpty)
    #expect(phone.status("k: foo,PATH\nRequire: path\n\(Self.contact)\nPath: <sip:p1.test;lr>") == 200)
    node.expectNothingLeft()
  }

  @Test(
    "a Path that could be no Route is refused with 400",
    arguments: ["sip:p1.test;lr", "<tel:+1>", "<sip:p1.test;lr>, x", "<sip:p1.test;lr"])
  func malformed(value: String) {
    let node = TestNode()
    var phone = RegisteringPhone(node)
    #expect(phone.status("Supported: path\n\(Self.contact)\nPath: \(value)") == 400)
    #expect(phone.contacts().isEmpty)
    node.expectNothingLeft()
  }

  @Test("of what a registration requires only what we lack is named in the 420, before anybody is asked for a password")
  func required() {
    let node = TestNode { $0.authenticationRequired = true }
    var phone = RegisteringPhone(node)
    let answer = phone.register("Require: path, foo\nRequire: gruu, Outbound, bar\n\(Self.contact)")
    #expect(TestNode.start(answer) == "SIP/2.0 420 Bad Extension")
    #expect(TestNode.headers("Unsupported", answer) == ["foo, bar"])
    #expect(phone.status("Require: path, gruu, outbound\n\(Self.contact)") == 401)
    node.expectNothingLeft()
  }

  @Test(
    "every 200 names the way by which later requests are to come, and no other answer does",
    arguments: [
      (TransportProtocol.tls, "sip:example.test", "<sip:sip.example.test:5061;transport=tls;lr>"),
      (.tls, "sips:example.test", "<sips:sip.example.test:5061;lr>"),
      (.tcp, "sip:example.test", "<sip:sip.example.test:5060;transport=tcp;lr>"),
      (.udp, "sip:example.test", "<sip:sip.example.test:5060;lr>"),
    ])
  func serviceRoute(transport: TransportProtocol, uri: String, route: String) {
    let node = TestNode()
    var phone = RegisteringPhone(node, "phone", transport)
    phone.requestURI = uri
    #expect(TestNode.headers("Service-Route", phone.register(Self.contact)) == [route])
    // RFC 3608 §6.3: fetching bindings tells the same.
    #expect(TestNode.headers("Service-Route", phone.register()) == [route])
    let refused = phone.register("Contact: *")
    #expect(RegisteringPhone.status(of: refused) == 400 && TestNode.headers("Service-Route", refused).isEmpty)
    node.expectNothingLeft()
  }

  @Test("a request that takes the service route reaches its callee, our value taken away")
  func usedServiceRoute() {
    let node = TestNode()
    var phone = RegisteringPhone(node)
    let route = TestNode.header("Service-Route", phone.register(Self.contact))
    let alice = node.peer("alice")
    node.send(node.request("MESSAGE", from: alice, "Route: \(route)"), from: alice)
    node.settle()
    let request = node.one(by: phone.peer)
    #expect(TestNode.start(request).hasPrefix("MESSAGE sip:bob@10.0.0.1") && TestNode.headers("Route", request).isEmpty)
    node.send(TestNode.response("200 OK", to: request), from: phone.peer)
    #expect(TestNode.start(node.one(by: alice)) == "SIP/2.0 200 OK")
    node.expectNothingLeft()
  }

  @Test("the service route can be switched off")
  func noServiceRoute() {
    let node = TestNode { $0.registrar.serviceRoute = false }
    var phone = RegisteringPhone(node)
    #expect(TestNode.headers("Service-Route", phone.register(Self.contact)).isEmpty)
  }
}
