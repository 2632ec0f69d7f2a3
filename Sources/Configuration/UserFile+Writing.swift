internal import Structures

extension UserFile {
  /// A file of these users, in the form that ``read(_:file:)`` understands: domains and users in alphabetical order.
  public static func text(of users: [User]) -> String {
    var lines = [
      "# Users, by domain. Written by `apus user`, which keeps entries but not comments.",
      "# A hash is that of user:realm:password (HA1, RFC 7616 §3.4.2): who has it can log in, so keep this file secret.",
    ]
    let sorted = users.sorted { ($0.domain, $0.name) < ($1.domain, $1.name) }
    var domain: String?
    for user in sorted {
      if user.domain != domain { lines.append("\(quote(user.domain)):") }
      domain = user.domain
      lines.append("  \(quote(user.name)):")
      if let realm = user.realm { lines.append("    realm: \(quote(realm))") }
      if let algorithms = user.algorithms {
        lines.append("    algorithms: [" + algorithms.map { "\($0.token)" }.joined(separator: ", ") + "]")
      }
      for algorithm in DigestAlgorithm.allCases {
        guard let hash = user.hashes[algorithm] else { continue }
        var digits: [UInt8] = []
        digits.append(hexadecimal: hash.span)
        // Quoted: some readers of YAML would take digits with an e in them for a number.
        lines.append("    \(algorithm.token): \"\(String(decoding: digits, as: UTF8.self))\"")
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// What is wrong with a user's name; nil when it can be one.
  public static func problem(withName name: String) -> String? {
    if name.isEmpty { return "the name is empty" }
    // RFC 7616 §3.4.2: a colon would end the name within the text that is hashed.
    if name.contains(":") { return "a name has no colon" }
    if name.contains("@") { return "the domain is given by --domain, not behind the name" }
    if name.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) { return "a name has no control characters" }
    return nil
  }

  private static func quote(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { $0.decimalDigit != nil || (0x61...0x7A).contains($0.lowercased) || $0 == 0x2E }
    if isPlain, let first = text.utf8.first, (0x61...0x7A).contains(first.lowercased) { return text }
    let escaped = text.reduce(into: "") { result, character in
      if character == "\"" || character == "\\" { result.append("\\") }
      result.append(character)
    }
    return "\"\(escaped)\""
  }
}
