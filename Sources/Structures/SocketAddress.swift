/// An IP address and a port.
public struct SocketAddress: Hashable, Sendable {
  /// The address.
  public let address: IPAddress
  /// The port, 0 to 65,535; 0 where none was chosen.
  public let port: UInt16

  /// An address with a port.
  public init(_ address: IPAddress, port: UInt16) {
    self.address = address
    self.port = port
  }

  /// Reads `192.0.2.1:5060` or `[2001:db8::1]:5060`; nil when the text is neither.
  public init?(_ text: String) {
    guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")),
      let port = UInt16(text[text.index(after: colon)...])
    else { return nil }
    var host = text[..<colon]
    if host.hasPrefix("[") {
      guard host.hasSuffix("]") else { return nil }
      host = host.dropFirst().dropLast()
      guard let address = IPAddress(String(host)), address.family == .v6 else { return nil }
      self.init(address, port: port)
    } else {
      guard let address = IPAddress(String(host)), address.family == .v4 else { return nil }
      self.init(address, port: port)
    }
  }

  /// Appends `192.0.2.1:5060` or `[2001:db8::1]:5060`.
  public func append(to output: inout [UInt8]) {
    address.appendAsHost(to: &output)
    output.append(UInt8(ascii: ":"))
    output.append(decimal: UInt64(port))
  }
}

extension SocketAddress: CustomStringConvertible {
  /// `192.0.2.1:5060` or `[2001:db8::1]:5060`.
  public var description: String {
    var bytes: [UInt8] = []
    append(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }
}
