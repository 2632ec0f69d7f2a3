import Structures

/// The request methods that have rules of their own somewhere in the server; any other is `other` and is passed on as its octets.
public enum Method: UInt8, Sendable, CaseIterable {
  case invite, ack, bye, cancel, options, register, message, subscribe, notify, publish, refer, info, update, prack
  case other

  /// The method that a token names. Methods are compared with case (RFC 3261 §7.1).
  public init(_ token: Span<UInt8>) {
    switch token.count {
    case 3:
      self = token.equals("ACK") ? .ack : token.equals("BYE") ? .bye : .other
    case 4:
      self = token.equals("INFO") ? .info : .other
    case 5:
      self = token.equals("REFER") ? .refer : token.equals("PRACK") ? .prack : .other
    case 6:
      self =
        token.equals("INVITE")
        ? .invite
        : token.equals("CANCEL")
          ? .cancel : token.equals("NOTIFY") ? .notify : token.equals("UPDATE") ? .update : .other
    case 7:
      self =
        token.equals("MESSAGE")
        ? .message : token.equals("OPTIONS") ? .options : token.equals("PUBLISH") ? .publish : .other
    case 8:
      self = token.equals("REGISTER") ? .register : .other
    case 9:
      self = token.equals("SUBSCRIBE") ? .subscribe : .other
    default:
      self = .other
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
