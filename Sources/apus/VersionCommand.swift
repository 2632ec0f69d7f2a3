import ArgumentParser
import Configuration
import Foundation
import Supervisor
import TLSEngine

/// `apus version`: what this is and with what it runs.
struct VersionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "version", abstract: "Print the versions of this program and of what it is made with.")

  @Flag(name: .long, help: "Print JSON.")
  var json = false

  @Option(name: .long, help: .hidden)
  var continues: Int?

  private struct Facts: Encodable {
    var apus = Version.text
    var swift = Version.compiler
    var openssl = tlsLibraryVersion
    var packages = Dictionary(uniqueKeysWithValues: Version.packages.map { ($0.name, $0.version) })
    var transports = ["udp", "tcp", "tls"]
    var digest = DigestAlgorithm.allCases.map { "\($0.token)" }
    var tls = ["TLSv1.2", "TLSv1.3"]
  }

  func run() throws {
    // A supervisor asks whether this program could go on with its node.
    if let continues { throw ExitCode(continues == NodeSupervisor.inheritanceVersion ? 0 : 1) }
    let facts = Facts()
    if json { return try Terminal.say(json: facts) }
    Terminal.say("apus \(facts.apus)")
    Terminal.say("swift \(facts.swift)")
    Terminal.say("openssl \(facts.openssl)")
    for (name, version) in Version.packages { Terminal.say("\(name) \(version) or later") }
    Terminal.say("transports: \(facts.transports.joined(separator: ", "))")
    Terminal.say("tls: \(facts.tls.joined(separator: ", "))")
    Terminal.say("digest: \(facts.digest.joined(separator: ", "))")
  }
}
