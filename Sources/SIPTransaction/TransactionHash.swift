import SIPMessage
import Structures

/// What server transactions are found by: a hash of everything that tells them apart (RFC 3261 §17.2.3), so that nobody can put many of them into
/// one place of the index. `Hasher` is keyed anew in each process.
enum TransactionHash {
  /// Of what is the same in a request, its retransmissions, its ACK and its CANCEL. `method` is that of the request itself.
  ///
  /// Without the cookie the To tag counts, which an ACK may have though its INVITE had none: `hasToTag` tells whether the request had it.
  static func ofRequest(_ request: Message, _ via: Via, as method: Method, hasToTag: Bool = true) -> UInt64 {
    var hasher = Hasher()
    let bytes = request.bytes
    let text = bytes.span
    combine(method, request, text, &hasher)
    combine(request.value(of: .callID), text, &hasher)
    combine(request.tag(of: .from), text, &hasher)
    hasher.combine((try? request.cseq().number) ?? 0)
    if via.hasMagicCookie {
      combine(via, text, &hasher)
    } else {
      combine(request.requestURIRange, text, &hasher)
      combine(via.range, text, &hasher)
      combine(hasToTag ? request.tag(of: .to) : nil, text, &hasher)
    }
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }

  /// Of what an ACK or a CANCEL has of its INVITE whatever else it says: branch and sent-by. Never 0.
  static func ofBranch(_ via: Via, _ request: Message) -> UInt64 {
    var hasher = Hasher()
    let bytes = request.bytes
    combine(via, bytes.span, &hasher)
    return UInt64(bitPattern: Int64(hasher.finalize())) | 1
  }

  private static func combine(_ method: Method, _ request: Message, _ text: Span<UInt8>, _ hasher: inout Hasher) {
    hasher.combine(method.rawValue)
    if method == .other { combine(request.methodToken, text, &hasher) }
  }

  /// Branch and sent-by, whose host may be written in letters of either size.
  private static func combine(_ via: Via, _ text: Span<UInt8>, _ hasher: inout Hasher) {
    combine(via.branch, text, &hasher)
    var word: UInt64 = 0
    let host = via.host.positions
    for index in host {
      word = word << 8 | UInt64(text[index] | 0x20)
      if (index - host.lowerBound) & 7 == 7 { hasher.combine(word) }
    }
    hasher.combine(word)
    hasher.combine(UInt32(via.port ?? 0) << 16 | UInt32(truncatingIfNeeded: host.count))
  }

  /// With its length: octets that move from one part to the next make another hash.
  private static func combine(_ range: ByteRange?, _ text: Span<UInt8>, _ hasher: inout Hasher) {
    guard let range else {
      hasher.combine(UInt16.max)
      return
    }
    hasher.combine(UInt16(truncatingIfNeeded: range.count))
    text.extracting(range.positions).withUnsafeBytes { hasher.combine(bytes: $0) }
  }
}
