import Structures

/// The name of a user agent instance, the value of `+sip.instance` (RFC 5626 §4.1), in a form in which equal names have equal octets.
enum InstanceIdentity {
  /// Appends the canonical form of a name, with or without angle brackets: without them, and in small letters what RFC 5626 §4.1 has
  /// compared without case, that is `urn:`, the namespace behind it, and the whole of a UUID.
  static func append(canonical name: Span<UInt8>, to output: inout [UInt8]) {
    let start = output.count
    // All of them, so that the canonical form of a canonical form is itself: a GRUU brings it back (RFC 5627 §3.1).
    var (first, end) = (0, name.count)
    while end - first >= 2, name[first] == UInt8(ascii: "<"), name[end - 1] == UInt8(ascii: ">") {
      (first, end) = (first + 1, end - 1)
    }
    output.append(name.extracting(first..<end))
    let small = caselessLength(output.span.extracting(start..<output.count))
    for index in start..<start + small { output[index] = output[index].lowercased }
  }

  /// How many octets at the beginning are compared without case.
  private static func caselessLength(_ name: Span<UInt8>) -> Int {
    guard name.count > 4, name.extracting(0..<4).equalsIgnoringCase("urn:") else { return 0 }
    if name.count > 9, name.extracting(4..<9).equalsIgnoringCase("uuid:") { return name.count }
    var end = 4
    while end < name.count, name[end] != UInt8(ascii: ":") { end += 1 }
    return end
  }
}
