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
    return revocation
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
    octets.first == 0x30 || String(decoding: octets, as: UTF8.self).contains("-----BEGIN X509 CRL-----")
  }
}
