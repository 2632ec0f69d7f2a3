import SIPMessage
import Structures

/// What server transactions are found by: a hash of everything that tells them apart (RFC 3261 §17.2.3), so that nobody can put many of them into
/// one place of the index. `Hasher` is keyed anew in each process.
enum TransactionHash {
  /// Of what is the same in a request, its retransmissions, its ACK and its CANCEL. `method` is that of the request itself; `scratch` is
  /// overwritten.
  ///
  /// Without the cookie the To tag counts, which an ACK may have though its INVITE had none: `hasToTag` tells whether the request had it.
  static func ofRequest(
    _ request: Message, _ via: Via, as method: Method, hasToTag: Bool = true, scratch: inout [UInt8]
  ) -> UInt64 {
    scratch.clear()
    let bytes = request.bytes
    let text = bytes.span
    scratch.append(method.rawValue)
    if method == .other { append(request.methodToken, text, &scratch) }
    append(request.value(of: .callID), text, &scratch)
    append(request.tag(of: .from), text, &scratch)
    let number = (try? request.cseq().number) ?? 0
    scratch.append(UInt8(truncatingIfNeeded: number))
    scratch.append(UInt8(truncatingIfNeeded: number >> 8))
    scratch.append(UInt8(truncatingIfNeeded: number >> 16))
    scratch.append(UInt8(truncatingIfNeeded: number >> 24))
    if via.hasMagicCookie {
      append(via, text, &scratch)
    } else {
      append(request.requestURIRange, text, &scratch)
      append(via.range, text, &scratch)
      append(hasToTag ? request.tag(of: .to) : nil, text, &scratch)
    }
    return hash(scratch)
  }

  /// Of what an ACK or a CANCEL has of its INVITE whatever else it says: branch and sent-by. Never 0. `scratch` is overwritten.
  static func ofBranch(_ via: Via, _ request: Message, scratch: inout [UInt8]) -> UInt64 {
    scratch.clear()
    let bytes = request.bytes
    append(via, bytes.span, &scratch)
    return hash(scratch) | 1
  }

  /// All at once: handing the parts to the hasher one by one costs several times as much.
  private static func hash(_ octets: [UInt8]) -> UInt64 {
    var hasher = Hasher()
    octets.withUnsafeBytes { hasher.combine(bytes: $0) }
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }

  /// Branch and sent-by, whose host may be written in letters of either size.
  private static func append(_ via: Via, _ text: Span<UInt8>, _ scratch: inout [UInt8]) {
    append(via.branch, text, &scratch)
    scratch.append(UInt8(truncatingIfNeeded: via.port ?? 0))
    scratch.append(UInt8(truncatingIfNeeded: (via.port ?? 0) >> 8))
    for index in via.host.positions { scratch.append(text[index] | 0x20) }
  }

  /// With an octet behind it that no part has: octets that move from one part to the next make another hash.
  private static func append(_ range: ByteRange?, _ text: Span<UInt8>, _ scratch: inout [UInt8]) {
    if let range { scratch.append(text.extracting(range.positions)) }
    scratch.append(range == nil ? 0x0A : 0x0D)
  }
}
