import SIPMessage
import Structures

/// Writes responses of our own making (RFC 3261 §8.2.6).
public enum ResponseWriter {
  /// Writes the start line and what is copied from the request: Via values (the top one with `received` and `rport`), From, To with a tag,
  /// Call-ID, CSeq, for 2xx and 1xx Record-Route, and for 100 Timestamp. ``end(body:into:)`` must follow, after header fields of the caller's own.
  ///
  /// `toTag` is used when the request has no To tag. Lines that a broken request doesn't have are left out.
  public static func append(
    _ status: Int, _ reason: StaticString, to request: Message, via: Via?, source: Flow, toTag: UInt64?,
    into output: inout [UInt8]
  ) {
    output.append("SIP/2.0 ")
    output.append(decimal: UInt64(status))
    output.append(" ")
    output.append(reason)
    output.append("\r\n")
    appendCopied(status, request, via, source, toTag, &output)
  }

  /// The same with a reason phrase that is made for the request.
  public static func append(
    _ status: Int, reason: Span<UInt8>, to request: Message, via: Via?, source: Flow, toTag: UInt64?,
    into output: inout [UInt8]
  ) {
    output.append("SIP/2.0 ")
    output.append(decimal: UInt64(status))
    output.append(" ")
    output.append(reason)
    output.append("\r\n")
    appendCopied(status, request, via, source, toTag, &output)
  }

  private static func appendCopied(
    _ status: Int, _ request: Message, _ via: Via?, _ source: Flow, _ toTag: UInt64?, _ output: inout [UInt8]
  ) {
    let bytes = request.bytes
    let text = bytes.span
    appendVias(request, text, via, source, &output)
    for index in request.fields.indices {
      let field = request.fields[index]
      switch field.name {
      // Of what a broken request has twice the answer has the first.
      case .from where request.firstIndex(of: .from) == index, .callID where request.firstIndex(of: .callID) == index,
        .cseq where request.firstIndex(of: .cseq) == index:
        appendLine(request, text, index, &output)
      case .to where request.firstIndex(of: .to) == index:
        appendTo(request, text, index, toTag, &output)
      case .recordRoute where status > 100 && status < 300 && request.method != .register:
        appendLine(request, text, index, &output)
      // RFC 3261 §8.2.6.1
      case .other where status == 100 && isTimestamp(field, text):
        appendLine(request, text, index, &output)
      default: break
      }
    }
  }

  private static func isTimestamp(_ field: Message.Field, _ text: Span<UInt8>) -> Bool {
    field.nameLength == 9
      && text.extracting(Int(field.start)..<Int(field.start) + 9).equalsIgnoringCase("timestamp")
  }

  /// Writes Content-Length and the empty line.
  public static func end(body length: Int, into output: inout [UInt8]) {
    output.append("Content-Length: ")
    output.append(decimal: UInt64(length))
    output.append("\r\n\r\n")
  }

  /// Copies `text` from `start` to the end of its Via value, which gets where it really came from: `received` when sent-by is another
  /// address or `rport` asks for it, and the port in `rport` (RFC 3261 §18.2.1, RFC 3581 §4). Returns where copying goes on.
  public static func appendVia(
    _ via: Via, _ text: Span<UInt8>, from start: Int, source: Flow, to output: inout [UInt8]
  ) -> Int {
    let remote = source.remote.address.unmapped
    let wantsPort = via.rportParameter != nil
    output.append(text.extracting(start..<via.sentByEnd))
    if wantsPort || !hostIs(remote, via, text) {
      output.append(";received=")
      remote.append(to: &output)
    }
    if wantsPort {
      output.append(addingCapacity: 16) {
        $0.append(";rport=")
        $0.append(decimal: UInt64(source.remote.port))
      }
    }
    // What the peer itself wrote there is dropped: it can't know.
    var position = via.sentByEnd
    var (first, second) = (via.receivedParameter, via.rportParameter)
    if let one = first, let other = second, other.start < one.start { swap(&first, &second) }
    for skip in 0..<2 {
      guard let range = skip == 0 ? first : second else { continue }
      output.append(text.extracting(position..<Int(range.start)))
      position = Int(range.end)
    }
    return position
  }

  private static func hostIs(_ address: IPAddress, _ via: Via, _ text: Span<UInt8>) -> Bool {
    var host = via.host.positions
    if !host.isEmpty, text[host.lowerBound] == UInt8(ascii: "[") { host = host.lowerBound + 1..<host.upperBound - 1 }
    return IPAddress(text.extracting(host))?.unmapped == address
  }

  private static func appendVias(
    _ request: Message, _ text: Span<UInt8>, _ via: Via?, _ source: Flow, _ output: inout [UInt8]
  ) {
    var isTop = true
    let fields = request.fields
    for index in fields.indices where fields[index].name == .via {
      let value = fields[index].value
      output.append("Via: ")
      var rest = Int(value.start)
      if isTop, let via { rest = appendVia(via, text, from: rest, source: source, to: &output) }
      output.append(text.extracting(rest..<Int(value.end)))
      output.append("\r\n")
      isTop = false
    }
  }

  private static func appendLine(_ request: Message, _ text: Span<UInt8>, _ index: Int, _ output: inout [UInt8]) {
    let field = request.fields[index]
    output.append(text.extracting(Int(field.start)..<Int(field.value.end)))
    output.append("\r\n")
  }

  private static func appendTo(
    _ request: Message, _ text: Span<UInt8>, _ index: Int, _ tag: UInt64?, _ output: inout [UInt8]
  ) {
    let field = request.fields[index]
    output.append(text.extracting(Int(field.start)..<Int(field.value.end)))
    if let tag, request.tag(of: .to) == nil {
      output.append(";tag=")
      appendTag(tag, to: &output)
    }
    output.append("\r\n")
  }

  /// Writes a tag of our own: `apus` and 16 hexadecimal digits.
  public static func appendTag(_ tag: UInt64, to output: inout [UInt8]) {
    output.append("apus")
    for shift in stride(from: 48, through: 0, by: -16) as StrideThrough<UInt64> {
      let part = UInt16(truncatingIfNeeded: tag >> shift)
      for nibble in stride(from: 12, through: 0, by: -4) as StrideThrough<UInt16> {
        output.append(hexadecimal: part >> nibble & 0xF)
      }
    }
  }
}
