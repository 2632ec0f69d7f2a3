import SIPMessage
import Structures

/// Writes the requests that a transaction makes from another one: the ACK to a final response other than 2xx, and CANCEL.
public enum RequestWriter {
  /// RFC 3261 §17.1.1.3: Request-URI, top Via, From, Call-ID, CSeq number and Route of the INVITE as sent; To of the response.
  public static func appendAck(of invite: Message, to response: Message, into output: inout [UInt8]) {
    append("ACK", of: invite, to: response, into: &output)
  }

  /// RFC 3261 §9.1: Request-URI, top Via, To, From, Call-ID, CSeq number and Route of the INVITE as sent.
  public static func appendCancel(of invite: Message, reason: Span<UInt8>, into output: inout [UInt8]) {
    append("CANCEL", of: invite, to: nil, reason: reason, into: &output)
  }

  private static func append(
    _ method: StaticString, of invite: Message, to response: Message?, reason: Span<UInt8> = Span(),
    into output: inout [UInt8]
  ) {
    let bytes = invite.bytes
    let text = bytes.span
    output.append(method)
    output.append(" ")
    output.append(text.extracting(invite.requestURIRange.positions))
    output.append(" SIP/2.0\r\n")
    if let via = try? invite.topVia() {
      output.append("Via: ")
      output.append(text.extracting(via.range.positions))
      output.append("\r\n")
    }
    for index in invite.fields.indices {
      let field = invite.fields[index]
      switch field.name {
      case .from, .callID, .route:
        output.append(text.extracting(Int(field.start)..<Int(field.value.end)))
        output.append("\r\n")
      case .to:
        appendTo(response ?? invite, &output)
      case .cseq:
        guard let cseq = try? invite.cseq() else { continue }
        output.append("CSeq: ")
        output.append(decimal: UInt64(cseq.number))
        output.append(" ")
        output.append(method)
        output.append("\r\n")
      default: break
      }
    }
    output.append(reason)
    output.append("Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n")
  }

  private static func appendTo(_ message: Message, _ output: inout [UInt8]) {
    guard let to = message.value(of: .to) else { return }
    let bytes = message.bytes
    output.append("To: ")
    output.append(bytes.span.extracting(to.positions))
    output.append("\r\n")
  }
}
