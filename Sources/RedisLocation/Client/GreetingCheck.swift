import Structures

/// Judges the replies to what a connection begins with.
enum GreetingCheck {
  /// What is wrong with the reply to a step; nil when the next may follow.
  static func trouble(of reply: RedisReply, to step: RedisLinkMachine.GreetingStep) -> RedisTrouble? {
    if let trouble = RedisTrouble(reply.errorCode, reply) { return trouble }
    switch step {
    // A user may be forbidden to name his connection; it is a help for administrators only.
    case .name: return nil
    case .authenticate, .select: return reply.isOK ? nil : refusal(reply)
    case .role: return role(reply)
    case .ping:
      if case .text(let text) = reply, text.span.equals("PONG") { return nil }
      return refusal(reply)
    case .subscribe:
      guard case .array(let parts?) = reply, parts.count == 3, case .bulk(let kind?) = parts[0],
        kind.span.equals("subscribe")
      else { return refusal(reply) }
      return nil
    }
  }

  private static func refusal(_ reply: RedisReply) -> RedisTrouble {
    if case .error = reply { .refused(reply.errorText) } else { .malformed }
  }

  private static func role(_ reply: RedisReply) -> RedisTrouble? {
    guard case .array(let parts?) = reply, let first = parts.first, case .bulk(let name?) = first else {
      return refusal(reply)
    }
    return name.span.equals("master") ? nil : .notMaster
  }
}

/// What comes over a connection that has subscribed.
enum SubscriptionEvent {
  case message(channel: [UInt8], payload: [UInt8])
  /// The answer to a PING.
  case alive
  case other

  init(_ reply: RedisReply) {
    self = .other
    guard case .array(let parts?) = reply, let first = parts.first, case .bulk(let kind?) = first else { return }
    if kind.span.equals("pong") {
      self = .alive
    } else if kind.span.equals("message"), parts.count == 3, case .bulk(let channel?) = parts[1],
      case .bulk(let payload?) = parts[2]
    {
      self = .message(channel: channel, payload: payload)
    }
  }
}
