import SIPMessage
import Structures

/// Max-Breadth: how many branches a request may have at once, here and further on (RFC 5393 §5).
extension ServerCore {
  /// What a request brings, at most what the server allows (RFC 5393 §5.3.3); nil when it brings no number. 0 allows no branch at all.
  func incomingBreadth(_ request: Message) -> Int? {
    guard request.has(.maxBreadth) else { return settings.maxBreadth }
    let bytes = request.bytes
    let text = bytes.span
    var breadth: Int? = settings.maxBreadth
    request.forEach(.maxBreadth) { _, value in
      var number = value.isEmpty ? nil : 0
      for index in value.positions {
        let digit = text[index] &- UInt8(ascii: "0")
        number = digit < 10 ? number.map { min($0 * 10 + Int(digit), settings.maxBreadth) } : nil
      }
      breadth = breadth.flatMap { known in number.map { min(known, $0) } }
      return breadth != nil
    }
    return breadth
  }

  /// What no branch has that waits for its final response.
  func freeBreadth(_ context: ResponseContext) -> Int {
    var free = context.breadth
    for branch in context.branches where branch.isPending { free -= branch.breadth }
    return free
  }

  /// Whether a target of the group that is being tried waits for others to fail, as the request has not enough breadth for all of them at
  /// once (RFC 5393 §5.5).
  func hasBreadthForMore(_ context: ResponseContext) -> Bool {
    let next = context.nextTarget
    guard !context.isStopped, next > 0, next < context.targets.count,
      context.targets[next].q == context.targets[next - 1].q
    else { return false }
    return freeBreadth(context) > 0
  }
}
