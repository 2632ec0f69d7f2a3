/// What profiles say of revoked certificates.
extension Resolver {
  /// The settings below a profile; `verifies`: whether its connections prove peers' certificates at all.
  mutating func resolveRevocation(_ profile: [String], verifies: Bool) -> RevocationProfile {
    var revocation = RevocationProfile()
    let path = profile + ["crl"]
    for name in reader.texts(path) {
      let resolved = SettingsSources.resolve(name, from: reader.file)
      revocation.listPaths.append(resolved)
      revocation.lists += readLists(resolved, path)
    }
    if let position = reader.position(path), !verifies {
      reader.note(path, position, "no certificate is looked up", "connections of this profile verify none")
    }
    revocation.depth = RevocationProfile.Depth(rawValue: reader.text(profile + ["crl_check"]) ?? "") ?? .chain
    revocation.expiry = RevocationProfile.Expiry(rawValue: reader.text(profile + ["crl_expired"]) ?? "") ?? .reject
    revocation.ocsp = RevocationProfile.OCSPMode(rawValue: reader.text(profile + ["ocsp"]) ?? "") ?? .off
    revocation.responder = resolveResponder(profile + ["ocsp_responder"])
    revocation.ocspTime = reader.duration(profile + ["ocsp_timeout"])
    let recheck = reader.duration(profile + ["ocsp_recheck"])
    revocation.recheck = recheck == .zero ? nil : recheck
    if let position = reader.position(profile + ["ocsp"]), !verifies, revocation.ocsp != .off {
      reader.note(profile + ["ocsp"], position, "nobody is asked", "connections of this profile verify no certificate")
    }
    return revocation
  }

  /// `stapling` of a server profile.
  mutating func resolveStapling(_ profile: [String]) -> Bool? {
    let path = profile + ["stapling"]
    guard case .boolean(let wanted) = reader.value(path) else { return nil }
    return wanted
  }

  private mutating func resolveResponder(_ path: [String]) -> String? {
    guard let url = reader.text(path) else { return nil }
    if !url.lowercased().hasPrefix("http://") || url.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7F }) {
      reader.fail(
        path, reader.position(path), "'\(url)' is no http URL", "answers are signed, so responders need no https")
    }
    return url
  }

  private mutating func readLists(_ resolved: String, _ path: [String]) -> [RevocationProfile.File] {
    switch sources.readAll(resolved) {
    case .success(let files):
      for (name, octets) in files where !Self.looksLikeList(octets) {
        reader.fail(
          path, reader.position(path), "\(name): no list of revoked certificates",
          "PEM starts with -----BEGIN X509 CRL-----, DER with 0x30; put nothing else there")
      }
      return files.map { RevocationProfile.File(path: $0.path, octets: $0.octets) }
    case .failure(let failure):
      reader.fail(path, reader.position(path), "\(resolved): \(failure.problem)", failure.remedy)
      return []
    }
  }

  /// Whether a file may be what it should be; what it is says whoever has TLS.
  private static func looksLikeList(_ octets: [UInt8]) -> Bool {
    if octets.first == 0x30 { return true }
    // By hand: a list may have millions of octets, with as many of explanation before it.
    let mark = Array("-----BEGIN X509 CRL-----".utf8)
    var start = octets.startIndex
    while octets.count - start >= mark.count, let found = octets[start...].firstIndex(of: mark[0]) {
      if octets[found...].starts(with: mark) { return true }
      start = found + 1
    }
    return false
  }
}
