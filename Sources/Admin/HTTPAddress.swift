/// An `http` URL (RFC 9110 §4.2.1), taken apart as far as a request needs it.
struct HTTPAddress: Equatable {
  /// The host, without the brackets of an IPv6 address.
  let host: String
  /// The port; 80 unless given.
  let port: UInt16
  /// Host and port as the URL has them, for the Host field (RFC 9110 §7.2).
  let authority: String
  /// Path and query, at least `/`.
  let target: String

  /// Nil for another scheme, a user, a host that is none, or octets that could end a line.
  init?(_ url: String) {
    let octets = Array(url.utf8)
    guard octets.count <= 2_048, octets.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), url.lowercased().hasPrefix("http://")
    else { return nil }
    let rest = url.dropFirst(7).prefix { $0 != "#" }
    let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    let authority = rest[..<end]
    let path = rest[end...]
    guard !authority.isEmpty, !authority.contains("@"), let (host, port) = Self.split(authority) else { return nil }
    self.host = host
    self.port = port
    self.authority = String(authority)
    target = path.hasPrefix("/") ? String(path) : "/" + path
  }

  private static func split(_ authority: Substring) -> (host: String, port: UInt16)? {
    var host = authority
    var port: UInt16 = 80
    let closing = authority.firstIndex(of: "]")
    if let colon = authority.lastIndex(of: ":"), closing.map({ $0 < colon }) ?? true {
      guard let number = UInt16(authority[authority.index(after: colon)...]), number > 0 else { return nil }
      port = number
      host = authority[..<colon]
    }
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    return host.isEmpty ? nil : (String(host), port)
  }
}
