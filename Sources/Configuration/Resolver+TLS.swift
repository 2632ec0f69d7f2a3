internal import Structures

/// What server and client profiles have alike, and the older ways to say it.
extension Resolver {
  /// Certificates and keys, which belong together by their places in the two lists.
  mutating func resolvePairs(_ profile: [String]) -> [TLSKeyPair] {
    let (certificatePath, keyPath) = (profile + ["certificate"], profile + ["private_key"])
    let (certificates, keys) = (readFiles(certificatePath), readFiles(keyPath))
    for file in certificates { checkCertificates(file.octets, certificatePath, reader.position(certificatePath)) }
    for file in keys { checkKey(file.octets, keyPath) }
    let (names, keyNames) = (reader.texts(certificatePath), reader.texts(keyPath))
    if names.count != keyNames.count, let position = reader.position(keyPath), reader.position(certificatePath) != nil {
      reader.fail(
        keyPath, position, "\(keyNames.count) keys for \(names.count) certificates",
        "give one for each certificate, in the same order")
    }
    guard certificates.count == names.count, keys.count == keyNames.count else { return [] }
    return zip(certificates, keys).map { certificate, key in
      TLSKeyPair(
        certificateFile: certificate.path, certificatePEM: certificate.octets, keyFile: key.path,
        privateKeyPEM: key.octets)
    }
  }

  /// `ca_list` and all that is in `ca_path`; nil when neither is given.
  mutating func readAuthorities(_ profile: [String]) -> [UInt8]? {
    let list = readCertificates(profile + ["ca_list"])
    let path = profile + ["ca_path"]
    guard let name = reader.text(path), let position = reader.position(path) else { return list }
    let resolved = SettingsSources.resolve(name, from: reader.file)
    switch sources.readAll(resolved) {
    case .success(let files):
      let good = files.filter { Self.holdsCertificate($0.octets) }
      if good.isEmpty {
        reader.fail(
          path, position, "\(resolved): no file in it has a certificate in PEM", "put those of the authorities there")
      }
      return good.reduce(list ?? []) { $0 + [0x0A] + $1.octets }
    case .failure(let failure):
      reader.fail(path, position, "\(resolved): \(failure.problem)", failure.remedy)
      return list
    }
  }

  /// Ciphers, limits and the like.
  mutating func resolveChoices(_ profile: [String]) -> TLSChoices {
    var choices = TLSChoices()
    choices.cipherList = reader.text(profile + ["cipher_list"])
    choices.ciphersuites = reader.text(profile + ["ciphersuites"])
    choices.groups = reader.text(profile + ["groups"])
    choices.verifyDepth = reader.number(profile + ["verify_depth"])
    choices.handshakeTime = resolveTime(profile + ["handshake_timeout"])
    choices.sendTime = resolveTime(profile + ["send_timeout"])
    choices.logLevel = NodeConfiguration.Log.Level(rawValue: reader.text(profile + ["log_level"]) ?? "") ?? .info
    for key in ["certificate", "private_key"] {
      choices.files += reader.texts(profile + [key]).map { SettingsSources.resolve($0, from: reader.file) }
    }
    for key in ["ca_list", "ca_path"] {
      if let name = reader.text(profile + [key]) {
        choices.files.append(SettingsSources.resolve(name, from: reader.file))
      }
    }
    if choices.namesNull {
      let path = profile + ["cipher_list"]
      reader.note(
        path, reader.position(path), "NULL ciphers encrypt nothing: whoever is on the way reads passwords and calls",
        "use it for tests alone")
    }
    return choices
  }

  private mutating func resolveTime(_ path: [String]) -> Duration? {
    let time = reader.duration(path)
    return reader.position(path) == nil ? nil : time
  }

  /// The oldest and the newest version of a profile.
  mutating func resolveVersions(_ profile: [String]) -> (minimum: TLSVersion, maximum: TLSVersion) {
    let (minimumPath, maximumPath) = (profile + ["min_version"], profile + ["max_version"])
    var minimum = TextRule.readVersion(reader.text(minimumPath) ?? "") ?? .v12
    var maximum = TextRule.readVersion(reader.text(maximumPath) ?? "") ?? .v13
    var place = minimumPath
    if let method = resolveMethod(profile) {
      (minimum, maximum) = method
      place = profile + ["tls_method"]
    } else if minimum > maximum {
      failFirstGiven(
        [minimumPath, maximumPath], "min_version is newer than max_version", "raise the one or lower the other")
    }
    if minimum < .v12, let position = reader.position(place) {
      reader.note(
        place, position, "TLS before 1.2 is broken (RFC 8996), and so is what it is allowed to use here",
        "give it only to phones that know nothing else, by a profile and a listener of their own")
    }
    return (minimum, maximum)
  }

  /// What `tls_method` says, a word of other servers.
  private mutating func resolveMethod(_ profile: [String]) -> (minimum: TLSVersion, maximum: TLSVersion)? {
    let path = profile + ["tls_method"]
    guard let word = reader.text(path), let position = reader.position(path) else { return nil }
    for name in ["min_version", "max_version"] where reader.position(profile + [name]) != nil {
      reader.fail(path, position, "\(name) says the same", "keep min_version and max_version, and drop tls_method")
    }
    let small = word.lowercased()
    if small == "sslv23" || small == "any" {
      reader.note(
        path, position, "an older name",
        "drop it: it means TLSv1.2 and newer today; phones that know only TLSv1 need min_version: TLSv1")
      return (.v12, .v13)
    }
    let isOpen = small.hasSuffix("+")
    guard let version = TextRule.readVersion(isOpen ? String(small.dropLast()) : small) else {
      let refusal = TextRule.versionProblem(word)
      reader.fail(path, position, refusal.problem, refusal.remedy)
      return nil
    }
    reader.note(
      path, position, "an older name",
      "write min_version: \(version.name)" + (isOpen ? "" : " and max_version: \(version.name)"))
    return (version, isOpen ? .v13 : version)
  }

  /// How clients are verified: `verify_client`, or what `verify_certificate` and `require_certificate` say together.
  mutating func resolveVerification(_ profile: [String]) -> ClientVerification {
    let path = profile + ["verify_client"]
    let stated = ClientVerification(rawValue: reader.text(path) ?? "") ?? .off
    let (verifyPath, requirePath) = (profile + ["verify_certificate"], profile + ["require_certificate"])
    let (verifies, requires) = (reader.boolean(verifyPath), reader.boolean(requirePath))
    guard
      let (old, position) = [verifyPath, requirePath].lazy.compactMap({ [reader] path in
        reader.position(path).map { (path, $0) }
      }).first
    else { return stated }
    if reader.position(path) != nil {
      reader.fail(old, position, "verify_client says the same", "keep verify_client alone")
      return stated
    }
    let meant: ClientVerification = requires ? .require : verifies ? .optional : .off
    if requires, !verifies {
      reader.note(
        requirePath, reader.position(requirePath),
        "a certificate that nobody verifies proves nothing, so those that are required are verified too",
        "write verify_client: require, or off to serve clients without one")
    } else {
      reader.note(old, position, "an older name", "write verify_client: \(meant.rawValue)")
    }
    return meant
  }

  /// What is told of a client profile that leaves servers unproved.
  mutating func noteUnproved(_ profile: TLSClientProfile, _ path: [String]) {
    let requirePath = path + ["require_certificate"]
    _ = reader.boolean(requirePath)
    if let position = reader.position(requirePath) {
      reader.note(requirePath, position, "an older name", "drop it: servers always show a certificate")
    }
    guard !profile.verifyCertificate, let position = reader.position(path + ["verify_certificate"]) else { return }
    reader.note(
      path + ["verify_certificate"], position, "servers prove nothing: whoever is on the way can be any of them",
      "give ca_list, and yes")
  }

  /// Takes names for a profile that no other may have.
  mutating func claim(_ names: [String], for profile: String, _ path: [String], _ owners: inout [String: String]) {
    for name in names {
      if let owner = owners[name] {
        reader.fail(
          path, reader.position(path), "'\(name)' selects tls.\(path[1]).\(owner) already", "keep it in one profile")
      }
      owners[name] = profile
    }
  }

  mutating func checkCertificates(_ octets: [UInt8], _ path: [String], _ position: Position?) {
    if Self.holdsCertificate(octets) { return }
    reader.fail(
      path, position, "the file holds no certificate in PEM",
      "PEM starts with -----BEGIN CERTIFICATE-----; openssl x509 -inform DER converts")
  }

  private static func holdsCertificate(_ octets: [UInt8]) -> Bool {
    let text = String(decoding: octets, as: UTF8.self)
    return text.contains("-----BEGIN CERTIFICATE-----") || text.contains("-----BEGIN TRUSTED CERTIFICATE-----")
  }

  private mutating func checkKey(_ octets: [UInt8], _ path: [String]) {
    let text = String(decoding: octets, as: UTF8.self)
    let position = reader.position(path)
    if !text.contains("PRIVATE KEY-----") {
      reader.fail(
        path, position, "the file holds no private key in PEM", "give the key that belongs to the certificate")
    } else if text.contains("ENCRYPTED") {
      reader.fail(path, position, "the private key has a pass phrase", "openssl pkey -in OLD -out NEW takes it off")
    }
  }

  /// The files that a setting lists; those that can't be read are left out, which is kept as an error.
  private mutating func readFiles(_ path: [String]) -> [(path: String, octets: [UInt8])] {
    var files: [(path: String, octets: [UInt8])] = []
    for name in reader.texts(path) {
      let resolved = SettingsSources.resolve(name, from: reader.file)
      switch sources.read(resolved) {
      case .success(let octets): files.append((resolved, octets))
      case .failure(let failure):
        reader.fail(path, reader.position(path), "\(resolved): \(failure.problem)", failure.remedy)
      }
    }
    return files
  }
}
