internal import Structures

/// One datagram between a worker and the admin process of its node, over a SOCK_SEQPACKET socket: version, kind, number of the
/// question, then what the kind carries. Numbers are in network order.
public enum FetchMessage: Sendable, Equatable {
  /// From a worker: POST these octets to an `http` URL, within so many milliseconds.
  case post(id: UInt32, milliseconds: UInt32, url: String, mediaType: String, body: [UInt8])
  /// From the admin process: the body of a response with status 200.
  case body(id: UInt32, [UInt8])
  /// From the admin process: there is none, and why.
  case failure(id: UInt32, String)

  /// The version of the format.
  public static let version: UInt8 = 1
  /// Longer datagrams, of more than 64 KiB, are none.
  public static let maximumSize = 65_536
  /// How many octets a body has at most.
  public static let maximumBody = 60_000

  private enum Kind: UInt8 {
    case post = 1
    case body, failure
  }

  /// The datagram; nil when it would be too long.
  public var octets: [UInt8]? {
    var octets = [Self.version]
    switch self {
    case .post(let id, let milliseconds, let url, let mediaType, let body):
      octets.append(Kind.post.rawValue)
      Self.append(id, to: &octets)
      Self.append(milliseconds, to: &octets)
      for text in [url, mediaType] {
        Self.append(UInt32(text.utf8.count), to: &octets)
        octets += text.utf8
      }
      octets += body
    case .body(let id, let body):
      octets.append(Kind.body.rawValue)
      Self.append(id, to: &octets)
      octets += body
    case .failure(let id, let reason):
      octets.append(Kind.failure.rawValue)
      Self.append(id, to: &octets)
      octets += reason.utf8.prefix(1_024)
    }
    return octets.count <= Self.maximumSize ? octets : nil
  }

  /// Reads a datagram; nil for another version, an unknown kind or what doesn't fit the kind.
  public init?(_ octets: Span<UInt8>) {
    guard octets.count >= 6, octets.count <= Self.maximumSize, octets[0] == Self.version,
      let kind = Kind(rawValue: octets[1])
    else { return nil }
    let id = UInt32(truncatingIfNeeded: octets.bigEndian(2, 4))
    let rest = octets.extracting(6...)
    switch kind {
    case .body: self = .body(id: id, rest.array)
    case .failure: self = .failure(id: id, String(decoding: rest.array, as: UTF8.self))
    case .post:
      guard rest.count >= 4 else { return nil }
      var position = 4
      guard let url = Self.text(rest, &position), let mediaType = Self.text(rest, &position) else { return nil }
      self = .post(
        id: id, milliseconds: UInt32(truncatingIfNeeded: rest.bigEndian(0, 4)), url: url, mediaType: mediaType,
        body: rest.extracting(position...).array)
    }
  }

  private static func append(_ number: UInt32, to octets: inout [UInt8]) {
    for place in (0..<4).reversed() { octets.append(UInt8(truncatingIfNeeded: number >> (8 * UInt32(place)))) }
  }

  private static func text(_ octets: Span<UInt8>, _ position: inout Int) -> String? {
    guard octets.count - position >= 4 else { return nil }
    let length = Int(octets.bigEndian(position, 4))
    position += 4
    guard length <= 2_048, octets.count - position >= length else { return nil }
    defer { position += length }
    return String(validating: octets.extracting(position..<position + length).array, as: UTF8.self)
  }
}
