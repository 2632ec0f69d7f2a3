import Testing

@testable import Configuration

@Suite("What administrators can ask")
struct ControlVerbTests {
  @Test("every verb stands in the table once, with a line, columns and parameters of different names")
  func table() {
    #expect(Set(ControlVerbs.all.map(\.name)).count == ControlVerbs.all.count)
    for verb in ControlVerbs.all {
      #expect(!verb.summary.isEmpty && !verb.summary.hasSuffix("."), "\(verb.name)")
      #expect(!verb.columns.isEmpty && Set(verb.columns).count == verb.columns.count, "\(verb.name)")
      #expect(Set(verb.parameters.map(\.name)).count == verb.parameters.count, "\(verb.name)")
      #expect(verb.source != .workerOfID || verb.parameters.first?.name == "id", "\(verb.name)")
    }
  }

  @Test("reads words by their place and options by their name")
  func words() throws {
    let add = try #require(ControlVerbs.find("ul.add"))
    #expect(
      try add.read(["a@b", "--q", "0.5", "sip:c", "--expires", "60"]).get()
        == ["aor": "a@b", "contact": "sip:c", "q": "0.5", "expires": "60"])
    let restart = try #require(ControlVerbs.find("worker.restart"))
    #expect(try restart.read(["--all"]).get() == ["all": "yes"])
    #expect(try restart.read(["3"]).get() == ["slot": "3"])
    #expect(try restart.read([]).get() == [:])
    #expect(add.usage == "ul.add AOR CONTACT [--expires S] [--q Q] [--path P]")
    #expect(restart.usage == "worker.restart [SLOT] [--all]")
  }

  @Test(
    "words that are missing, too many or unknown are told with the usage",
    arguments: [
      ([], "AOR is missing"), (["a@b"], "CONTACT is missing"), (["a", "b", "c"], "'c' is one word too many"),
      (["a", "b", "--q"], "--q needs a value"), (["a", "b", "--z", "1"], "ul.add knows no --z"),
    ] as [([String], String)])
  func wrongWords(_ words: [String], _ problem: String) throws {
    let add = try #require(ControlVerbs.find("ul.add"))
    guard case .failure(let failure) = add.read(words) else {
      Issue.record("\(words) were understood")
      return
    }
    #expect(failure.status == .usage)
    #expect(failure.problem == problem)
    #expect(failure.remedy == "usage: apus ctl \(add.usage)")
  }

  @Test(
    "an unknown verb is answered with the one that is nearest",
    arguments: [
      ("ul.dmp", "ul.dump"), ("core.psx", "core.ps"), ("tls.kil", "tls.kill"), ("tsl.list", "tls.list"),
    ])
  func nearest(_ word: String, _ meant: String) {
    #expect(ControlVerbs.unknown(word).remedy.hasPrefix("did you mean \(meant)?"))
  }

  @Test("a word that is like no verb is answered without a guess")
  func noGuess() {
    #expect(ControlVerbs.unknown("something else").remedy == "apus ctl help lists all verbs")
    #expect(ControlVerbs.distance("", "abc") == 3)
    #expect(ControlVerbs.distance("kitten", "sitting") == 3)
  }

  @Test("the socket is where the settings say, or in the state directory")
  func socket() {
    #expect(NodeConfiguration.standardControlSocket == "/var/lib/apus/control.sock")
    #expect(
      NodeConfiguration.controlSocket(in: ["state_directory": "state"], file: "/etc/a.yaml")
        == "/etc/state/control.sock")
    let settings: SettingNode = ["state_directory": "state", "admin": ["control_socket": "/run/apus.sock"]]
    #expect(NodeConfiguration.controlSocket(in: settings, file: "/etc/a.yaml") == "/run/apus.sock")
  }
}

@Suite("Questions to workers and their answers")
struct ControlDialogueTests {
  private static let answers: [ControlAnswer] = [
    .rows(json: [], next: nil), .rows(json: Array("{\"a\":1}".utf8), next: .max), .rows(json: [1], next: 0),
    .failed(ControlProblem(.unreachable, "the location can't be reached", remedy: "wait")),
  ]

  @Test("a question is the same once written and read; a part of it, or more, is none")
  func question() {
    let question = ControlQuestion(verb: "ul.rm", values: ["aor": "a@b", "contact": "ü"], cursor: .max - 1)
    #expect(ControlQuestion(question.octets) == question)
    for count in question.octets.indices { #expect(ControlQuestion(Array(question.octets[..<count])) == nil) }
    #expect(ControlQuestion(question.octets + [0]) == nil)
    let none = ControlQuestion(verb: "", values: [:])
    #expect(ControlQuestion(none.octets) == none)
  }

  @Test("an answer is the same once written and read; a part of it, or more, is none", arguments: answers)
  func answer(_ answer: ControlAnswer) {
    #expect(ControlAnswer(answer.octets) == answer)
    for count in answer.octets.indices { #expect(ControlAnswer(Array(answer.octets[..<count])) == nil) }
    #expect(ControlAnswer(answer.octets + [0]) == nil)
    #expect(ControlAnswer([3] + answer.octets.dropFirst()) == nil)
  }

  @Test("a page with all the rows that it may have fits a datagram")
  func size() {
    let page = ControlAnswer.rows(json: Array(repeating: 0x20, count: ControlAnswer.maximumRows), next: 1).octets
    #expect(page.count <= ControlMessage.maximumPayload)
  }
}
