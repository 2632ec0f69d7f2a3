import SIPMessage
import SIPServer
import Structures

/// The whole server: messages from several peers, time, closed connections, a location service that answers late or never.
///
/// The input is a list of operations, each ended by octet 255, so that cutting and joining inputs leaves the others what they are. The
/// first octet of an operation says what is done:
///
/// - `a` to `f`: peer 0 to 5 sends the rest as a message. In it a bare line feed stands for CRLF, and octets 2 to 8 for what the server last
///   sent: 2 its top Via, 3 its Record-Route values in order, 5 in reverse, 4 To of its last response, 6 its nonce, 7 and 8 the GRUUs that it gave out.
///   A missing Content-Length is added.
/// - `g` to `l`: the same without any change.
/// - `A` to `F`: the connection of the peer closes, or it is refused.
/// - `r`: the peer to whom the last request went answers with the status that follows, three digits, and what follows as header lines.
/// - `k`: the last final response to an INVITE is acknowledged; `n`: the last INVITE is cancelled; `2`: it is sent again.
/// - `t`, `T`: as many 20 ms, or seconds, pass as the next octet says.
/// - `s`: the location service falls silent or speaks again; `w`: it takes as many 20 ms as the next octet says.
/// - `x`: addresses can't be reached, or can again; `o`: the connection closes that the server opened.
/// - `y`, `z`: what was sent to the peer of the next octet isn't acknowledged, or it is after all.
/// - `u`: a peer sends the rest, of which the end can't be found.
/// - `p` as the first operation: requests are challenged.
enum ServerTarget {
  static func run(_ input: [UInt8]) throws(Complaint) {
    let operations = input.split(separator: 255).prefix(60)
    let story = ServerStory(isChallenging: input.first == UInt8(ascii: "p"))
    for operation in operations {
      carryOut(operation.first ?? 0, Array(operation.dropFirst()), story)
      if let complaint = story.complaint { throw complaint }
    }
    try story.end()
  }

  private static func carryOut(_ letter: UInt8, _ rest: [UInt8], _ story: ServerStory) {
    let seen = story.captured
    switch letter {
    case UInt8(ascii: "a")...UInt8(ascii: "f"):
      story.send(expanded(rest, seen), from: Int(letter - UInt8(ascii: "a")))
    case UInt8(ascii: "g")...UInt8(ascii: "l"): story.send(rest, from: Int(letter - UInt8(ascii: "g")))
    case UInt8(ascii: "A")...UInt8(ascii: "F"): story.close(Int(letter - UInt8(ascii: "A")))
    case UInt8(ascii: "r"): story.send(response(rest, to: seen.request), from: seen.requestPeer)
    case UInt8(ascii: "k"): story.send(acknowledgement(seen), from: seen.responsePeer)
    case UInt8(ascii: "n"): story.send(cancellation(seen.invite), from: seen.invitePeer)
    case UInt8(ascii: "2"): story.send(seen.invite, from: seen.invitePeer)
    case UInt8(ascii: "t"): story.pass(.milliseconds(20 * Int(rest.first ?? 0)))
    case UInt8(ascii: "T"): story.pass(.seconds(Int(rest.first ?? 0)))
    case UInt8(ascii: "s"): story.isLocationSilent.toggle()
    case UInt8(ascii: "w"): story.delay = 20_000_000 * Int64(rest.first ?? 0)
    case UInt8(ascii: "x"): story.isUnreachable.toggle()
    case UInt8(ascii: "y"), UInt8(ascii: "z"):
      story.suspect(Int(rest.first ?? 0) % Peers.count, isOver: letter == UInt8(ascii: "z"))
    case UInt8(ascii: "o"): story.closeOutgoing()
    case UInt8(ascii: "u"):
      let errors: [FramingError] = [
        .missingContentLength, .badContentLength, .headTooLarge, .messageTooLarge, .malformedStart,
      ]
      let choice = Int(rest.first ?? 0)
      story.send(unframed: expanded(Array(rest.dropFirst()), seen), because: errors[choice % 5], from: choice / 5 % 6)
    default: break
    }
  }

  /// A message with what the server sent before put in, line breaks mended and a length at its head's end.
  private static func expanded(_ text: [UInt8], _ seen: ServerStory.Captured) -> [UInt8] {
    var message: [UInt8] = []
    for (index, octet) in text.enumerated() {
      if let word = seen.words[octet] {
        message += word
      } else if octet == 0x0A, index == 0 || text[index - 1] != 0x0D {
        message += [0x0D, 0x0A]
      } else {
        message.append(octet)
      }
      if message.count > 60_000 { break }
    }
    // The head of a message that ends within it is completed.
    if message.count < 4 || message.suffix(4) != [0x0D, 0x0A, 0x0D, 0x0A], !message.span.contains("\r\n\r\n") {
      if message.suffix(2) != [0x0D, 0x0A] { message += [0x0D, 0x0A] }
      message += Array("Content-Length: 0\r\n\r\n".utf8)
    }
    return message
  }

  /// A response to a request as a user agent makes it.
  private static func response(_ rest: [UInt8], to request: [UInt8]) -> [UInt8] {
    var response = Array("SIP/2.0 ".utf8) + rest.prefix(3) + Array(" X\r\n".utf8)
    for line in lines(of: request, ["via:", "from:", "call-id:", "cseq:", "record-route:"]) { response += line }
    for line in lines(of: request, ["to:"]) {
      let hasTag = line.span.contains(";tag=")
      response += hasTag ? line : line.dropLast(2) + Array(";tag=t\r\n".utf8)
    }
    response += rest.dropFirst(3).flatMap { $0 == 0x0A ? [0x0D, 0x0A] : [$0] }
    if response.suffix(2) != [0x0D, 0x0A] { response += [0x0D, 0x0A] }
    return response + Array("Content-Length: 0\r\n\r\n".utf8)
  }

  /// The ACK to the last final response: of the transaction for a refusal, along the route set for a 2xx.
  private static func acknowledgement(_ seen: ServerStory.Captured) -> [UInt8] {
    let isAccepted = seen.response.starts(with: "SIP/2.0 2".utf8)
    var ack = Array("ACK ".utf8) + seen.invite.dropFirst(7).prefix { $0 != 0x20 } + Array(" SIP/2.0\r\n".utf8)
    if isAccepted {
      ack += Array("Via: SIP/2.0/TLS h;branch=z9hG4bKack\r\n".utf8)
      if let routes = seen.words[5] { ack += Array("Route: ".utf8) + routes + [0x0D, 0x0A] }
    } else {
      for line in lines(of: seen.invite, ["via:"]) { ack += line }
    }
    for line in lines(of: seen.response, ["from:", "to:", "call-id:"]) { ack += line }
    return ack + Array("CSeq: 1 ACK\r\nMax-Forwards: 9\r\nContent-Length: 0\r\n\r\n".utf8)
  }

  private static func cancellation(_ invite: [UInt8]) -> [UInt8] {
    var cancel = Array("CANCEL ".utf8) + invite.dropFirst(7).prefix { $0 != 0x20 } + Array(" SIP/2.0\r\n".utf8)
    for line in lines(of: invite, ["via:", "from:", "to:", "call-id:"]) { cancel += line }
    return cancel + Array("CSeq: 1 CANCEL\r\nMax-Forwards: 9\r\nContent-Length: 0\r\n\r\n".utf8)
  }

  /// The header lines of some names, given in small letters, each with its line break.
  private static func lines(of message: [UInt8], _ names: [StaticString]) -> [[UInt8]] {
    var lines: [[UInt8]] = []
    for line in message.split(separator: 0x0A, omittingEmptySubsequences: false).dropFirst() {
      if line.count <= 1 { break }
      let text = Array(line)
      for name in names {
        let length = name.utf8CodeUnitCount
        if text.count > length, text.span.extracting(0..<length).equalsIgnoringCase(name) {
          lines.append(text + [0x0A])
        }
      }
    }
    return lines
  }
}
