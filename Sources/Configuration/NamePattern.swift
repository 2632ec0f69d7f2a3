/// A name of which parts may be left open: `*` stands for one octet or more, in the name of a host for none of them a dot, so for
/// a label or a part of one.
public struct NamePattern: Sendable, Equatable {
  /// Longer names match nothing; octets.
  public static let maximumName = 255

  /// The pattern, in small letters when it is for hosts.
  public let text: String
  private let octets: [UInt8]
  private let isHost: Bool

  /// A pattern for names of hosts, in which letters are compared without case.
  static func host(_ text: String) -> NamePattern { NamePattern(text.lowercased(), isHost: true) }

  /// A pattern for names that are compared octet by octet.
  static func exact(_ text: String) -> NamePattern { NamePattern(text, isHost: false) }

  private init(_ text: String, isHost: Bool) {
    self.text = text
    octets = Array(text.utf8)
    self.isHost = isHost
  }

  /// Whether it is nothing but a star.
  public var isAnything: Bool { octets == [UInt8(ascii: "*")] }

  /// Whether a name follows the pattern. One with a star or a control character in it never does: a certificate for `*.example.test` is
  /// nobody in particular.
  public func matches(_ name: some Collection<UInt8>) -> Bool {
    guard !name.isEmpty, name.count <= Self.maximumName,
      name.allSatisfy({ $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "*") })
    else { return false }
    return matches(isHost ? name.map(\.lowercased) : Array(name), from: 0, 0, depth: 0)
  }

  /// Whether the pattern from one position matches the name from another. Each star is tried at each place; there are few: see
  /// ``isSound``.
  private func matches(_ name: [UInt8], from start: Int, _ place: Int, depth: Int) -> Bool {
    var (start, place) = (start, place)
    while start < octets.count {
      if octets[start] != UInt8(ascii: "*") {
        guard place < name.count, name[place] == octets[start] else { return false }
        (start, place) = (start + 1, place + 1)
        continue
      }
      guard depth < Self.maximumStars else { return false }
      while place < name.count, !isHost || name[place] != UInt8(ascii: ".") {
        place += 1
        if matches(name, from: start + 1, place, depth: depth + 1) { return true }
      }
      return false
    }
    return place == name.count
  }

  private static let maximumStars = 2

  /// Whether it can be used: not empty, no longer than a name, with no more than two stars.
  var isSound: Bool {
    !octets.isEmpty && octets.count <= Self.maximumName
      && octets.count(where: { $0 == UInt8(ascii: "*") }) <= Self.maximumStars
      && octets.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
  }
}
