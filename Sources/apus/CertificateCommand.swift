import ArgumentParser
import Configuration
import Foundation
import Supervisor
import TLSEngine

/// `apus cert`: an own certification authority and what it issues.
struct CertificateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cert", abstract: "Make an own authority, and certificates for servers and clients.",
    subcommands: [Authority.self, Server.self, Client.self])
}

/// Where the files go, and of what kind the key is.
struct CertificateOptions: ParsableArguments {
  @Option(name: .long, help: "The directory of the authority, ca.pem and ca.key.")
  var dir: String

  @Option(name: .long, help: "How many days the certificate is valid.")
  var days: Int?

  @Flag(name: .long, help: "An RSA key of 2,048 bits, for old phones, in place of P-256.")
  var rsa = false

  @Flag(name: .long, help: "Overwrite files that exist.")
  var force = false

  func validate() throws {
    if let days, !(1...36_500).contains(days) { throw ValidationError("--days is from 1 to 36500") }
  }

  var kind: CertificateAuthority.KeyKind { rsa ? .rsa2048 : .p256 }

  /// The authority of the directory.
  func authority() throws -> CertificateAuthority {
    let pair = CertificatePair(certificate: try read("ca.pem"), privateKey: try read("ca.key"))
    do throws(TLSError) { return try CertificateAuthority(pair) } catch { throw Failure("\(dir): \(error)") }
  }

  private func read(_ name: String) throws -> [UInt8] {
    switch Files.read("\(dir)/\(name)") {
    case .success(let octets): return octets
    case .failure(let failure):
      throw Failure("\(dir)/\(name): \(failure.problem); apus cert ca --dir \(dir) makes an authority")
    }
  }

  /// Writes `PREFIX.pem` and `PREFIX.key`; the key first and for its owner alone.
  func write(_ pair: CertificatePair, prefix: String) throws {
    let base = prefix.contains("/") ? prefix : "\(dir)/\(prefix)"
    do throws(SettingsSources.FileProblem) {
      try Files.makeDirectory(dir)
      try Files.write(pair.privateKey, to: base + ".key")
      try Files.write(pair.certificate, to: base + ".pem", mode: 0o644)
    } catch {
      throw Failure("\(base): \(error.problem)")
    }
    Terminal.say("\(base).pem")
    Terminal.say("\(base).key")
  }

  /// Refuses to overwrite, before any work is done.
  func checkFree(prefix: String) throws {
    let base = prefix.contains("/") ? prefix : "\(dir)/\(prefix)"
    for path in ["\(base).pem", "\(base).key"] where !force && Files.exists(path) {
      throw Failure("\(path) exists; --force overwrites it")
    }
  }
}

extension CertificateCommand {
  /// `apus cert ca`
  struct Authority: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "ca", abstract: "Make an authority: ca.pem for everyone, ca.key for nobody else.")
    @OptionGroup var options: CertificateOptions

    @Option(name: .long, help: "The name of the authority.")
    var name = "Apus CA"

    func run() throws {
      try options.checkFree(prefix: "ca")
      let authority = try CertificateAuthority(name: name, key: options.kind, days: options.days ?? 3_650)
      try options.write(authority.pair, prefix: "ca")
    }
  }

  /// `apus cert server`
  struct Server: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a server's certificate.",
      discussion: """
        Give every name that clients and other servers may ask for: the domains, the name of the cluster, the name of \
        the node. Each stands in the certificate as a SIP URI and as a DNS name or address (RFC 5922 §7.1).
        """)
    @OptionGroup var options: CertificateOptions

    @Option(name: .long, help: "A domain, host name or address; may be repeated.")
    var name: [String]

    @Option(name: .long, help: "The files are PREFIX.pem and PREFIX.key, in the directory unless it has a slash.")
    var out = "server"

    func validate() throws {
      guard !name.isEmpty else { throw ValidationError("give at least one --name") }
      for each in name where TextRule.readHost(each) == nil { throw ValidationError("'\(each)' is not a host name") }
    }

    func run() throws {
      try options.checkFree(prefix: out)
      let authority = try options.authority()
      let names = name.map { $0.lowercased() }
      let pair = try authority.makeServerCertificate(names: names, key: options.kind, days: options.days ?? 365)
      try options.write(pair, prefix: out)
    }
  }

  /// `apus cert client`
  struct Client: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Make a client's certificate.")
    @OptionGroup var options: CertificateOptions

    @Option(name: .long, help: "The address of record of the user, such as alice@example.test.")
    var name: String

    @Option(name: .long, help: "The files are PREFIX.pem and PREFIX.key; the name of the user unless given.")
    var out: String?

    func validate() throws {
      let parts = name.split(separator: "@", omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[0].isEmpty, TextRule.readHost(String(parts[1])) != nil, !name.contains("/") else {
        throw ValidationError("'\(name)' is not user@domain")
      }
    }

    func run() throws {
      try options.checkFree(prefix: out ?? name)
      let pair = try options.authority().makeClientCertificate(
        user: name, key: options.kind, days: options.days ?? 365)
      try options.write(pair, prefix: out ?? name)
    }
  }
}
