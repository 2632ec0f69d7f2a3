import Structures

/// The request methods that have rules of their own somewhere in the server; any other is `other` and is passed on as its octets.
public enum Method: UInt8, Sendable, CaseIterable {
  case invite, ack, bye, cancel, options, register, message, subscribe, notify, publish, refer, info, update, prack
  case other

  /// The method that a token names. Methods are compared with case (RFC 3261 §7.1).
  public init(_ token: Span<UInt8>) {
    self.init(token, 0, token.count)
  }

  /// The method that stands between two positions.
  init(_ text: Span<UInt8>, _ start: Int, _ end: Int) {
    let word = text.word(start, end)
    if end - start == 9 {
      self = word == "SUBSCRIB" && text[end - 1] == UInt8(ascii: "E") ? .subscribe : .other
    } else {
      self = word.count == end - start ? Self.find(word) : .other
    }
  }

  private static func find(_ word: OctetWord) -> Method {
    switch word {
    case "ACK": .ack
    case "BYE": .bye
    case "INFO": .info
    case "REFER": .refer
    case "PRACK": .prack
    case "INVITE": .invite
    case "CANCEL": .cancel
    case "NOTIFY": .notify
    case "UPDATE": .update
    case "MESSAGE": .message
    case "OPTIONS": .options
    case "PUBLISH": .publish
    case "REGISTER": .register
    default: .other
    }
  }

  /// Whether a request of the method can make a dialog: those that are record-routed
  /// (RFC 3261 §16.6, RFC 6665 §4.3, RFC 3515 §2.4.4).
  public var formsDialog: Bool {
    switch self {
    case .invite, .subscribe, .notify, .refer: true
    case .ack, .bye, .cancel, .options, .register, .message, .publish, .info, .update, .prack, .other: false
    }
  }
}
