import SIPMessage
import Structures

/// What administrators ask by names that people write.
extension ServerCore {
  /// The key of the address of record that a text means: `user@domain` or a SIP or SIPS URI; nil when it is neither, or no domain of this server's.
  public func addressOfRecord(in text: Span<UInt8>) -> [UInt8]? {
    var octets: [UInt8] = []
    let hasScheme =
      text.count > 4
      && (text.extracting(..<4).equalsIgnoringCase("sip:") || text.extracting(..<5).equalsIgnoringCase("sips:"))
    if !hasScheme { octets += Array("sip:".utf8) }
    octets.append(text)
    let whole = octets
    let span = whole.span
    guard octets.count < 1_024, let uri = try? SIPURI(span, ByteRange(0, octets.count)), uri.isSIP, let user = uri.user,
      let domain = settings.domain(span.extracting(uri.host.positions))
    else { return nil }
    var key: [UInt8] = []
    span.appendUnescaped(user, to: &key)
    key.append(UInt8(ascii: "@"))
    key += domain.name
    return key
  }

  /// Whether a text is a SIP or SIPS URI that requests can be sent to.
  public func isContact(_ text: Span<UInt8>) -> Bool {
    guard text.count < 1_024, let uri = try? SIPURI(text, ByteRange(0, text.count)) else { return false }
    return uri.isSIP
  }

  /// What an administrator's change of an address of record is: it comes over no connection, and is in order with whatever clients write.
  public func administrativeUpdate(
    of aor: [UInt8], _ operation: RegistrationUpdate.Operation, path: [UInt8] = [], node: UInt32, now: Int64
  ) -> RegistrationUpdate {
    var callID = Array("apus-ctl-".utf8)
    var word: [UInt8] = []
    word.append(bigEndian: hashing.randomWord(), 8)
    callID.append(hexadecimal: word.span)
    let nobody = SocketAddress(IPAddress(v4: 0), port: 0)
    let flow = Flow(
      id: .datagram(DatagramFlow(node: node, listener: 0, remote: nobody)), transport: .udp, listener: 0,
      local: nobody, remote: nobody, isVerified: false)
    return RegistrationUpdate(
      aor: aor, operation: operation, callID: callID, cseq: 1, flow: flow, isDirect: false, path: path,
      maxContacts: settings.registrar.maxContacts, gruuSeed: hashing.randomWord(), now: now)
  }

  /// Who is at the other end of a flow, as far as that is known: who registered first over it, else the first user or domain that
  /// its certificate proves, as `user@domain` or `@domain`.
  public func user(over flow: Flow) -> [UInt8]? { record(over: flow.id) ?? provenPeer(flow)?.names.first }

  /// The users, `user@domain`, and domains, `@domain`, that the certificate at the other end of a flow proves.
  public func namesProven(over flow: Flow) -> [[UInt8]] { provenPeer(flow)?.names ?? [] }
}
