import SIPMessage
import Structures

/// Reads what a REGISTER request wants of the bindings (RFC 3261 §10.3 steps 5 to 7). Made for one request; whether the client may do so
/// is decided before.
public struct RegistrationRequest {
  private let message: Message
  private let flow: Flow
  private let settings: RegistrarSettings
  private let random: UInt64
  /// Whether no proxy stands between the client and us (RFC 5626 §6).
  private let isDirect: Bool
  /// Whether the proxy nearest to the client keeps its flow; so do we.
  private let hasOutboundHop: Bool

  /// A request that ``Message/check()`` found nothing wrong with. `random` chooses by how much granted times are shortened, and names eras of
  /// temporary GRUUs.
  public init(_ message: Message, flow: Flow, settings: RegistrarSettings, random: UInt64) {
    self.message = message
    self.flow = flow
    self.settings = settings
    self.random = random
    isDirect = Self.count(of: .via, in: message, upTo: 2) == 1
    hasOutboundHop = isDirect || Self.hasOutboundPath(message)
  }

  /// The update that the request asks for. `domain` is the canonical name of the domain that the To header field names, in small
  /// letters; `now` is in Unix seconds.
  public func update(domain: Span<UInt8>, now: Int64) throws(RegistrationRefusal) -> RegistrationUpdate {
    let cseq = try parsed(message.cseq)
    guard let callID = message.value(of: .callID) else {
      throw .malformed(ParseError(.missingHeader, at: message.headersEnd))
    }
    let aor = try addressOfRecord(domain)
    let path = try path()
    return RegistrationUpdate(
      aor: aor, operation: try operation(), callID: Array(message.bytes[callID.positions]), cseq: cseq.number,
      flow: flow, isDirect: isDirect, path: path, userAgent: message.value(of: .userAgent).map(line) ?? [],
      maxContacts: settings.maxContacts, gruuSeed: random, now: now)
  }

  /// RFC 3261 §10.3 step 5: the canonical form, without parameters and escapes. A null octet is an octet like any other
  /// (RFC 4475 §3.1.1.4).
  private func addressOfRecord(_ domain: Span<UInt8>) throws(RegistrationRefusal) -> [UInt8] {
    let uri = try parsed(message.to).uri
    guard uri.isSIP, let user = uri.user else { throw .notFound }
    let owned = message.bytes
    var key: [UInt8] = []
    key.reserveCapacity(user.count + 1 + domain.count)
    owned.span.appendUnescaped(user, to: &key)
    key.append(UInt8(ascii: "@"))
    key.append(domain)
    return key
  }

  private func operation() throws(RegistrationRefusal) -> RegistrationUpdate.Operation {
    guard message.has(.contact) else { return .fetch }
    let owned = message.bytes
    let text = owned.span
    var contacts: [RegistrationUpdate.ContactChange] = []
    var count = 0
    var hasWildcard = false
    var values = ValueIterator(.contact, in: message)
    while let (value, _) = values.next(text) {
      count += 1
      // Each contact is compared with all bindings, so their number is bounded: enough to replace all by as many others.
      guard count <= max(settings.maxContacts, 1) * 2 else { throw .tooManyContacts }
      if text.extracting(value.positions).equals("*") {
        hasWildcard = true
      } else {
        contacts.append(try contact(value, text))
      }
    }
    guard hasWildcard else {
      try checkFlows(contacts)
      try checkSchemes(contacts, text)
      return .change(contacts)
    }
    // RFC 3261 §10.3 step 6
    guard count == 1, headerWish == 0 else { throw .wildcard }
    return .removeAll
  }

  private func contact(_ value: ByteRange, _ text: Span<UInt8>) throws(RegistrationRefusal)
    -> RegistrationUpdate.ContactChange
  {
    let address: NameAddress
    do {
      address = try NameAddress(text, value)
    } catch {
      throw .malformed(ParseError(.contact, at: error.position))
    }
    var change = RegistrationUpdate.ContactChange(
      uri: Array(message.bytes[address.uri.range.positions]), duration: 0,
      isReachedByFlow: isReachedByFlow(address.uri, text))
    var wish = headerWish
    var iterator = ParameterIterator(address.parameters)
    while let (name, value) = iterator.next(text) {
      let word = text.extracting(name.positions)
      if word.equalsIgnoringCase("expires") {
        wish = value.map { Self.seconds(text.extracting($0.positions)) } ?? Self.malformedWish
      } else if word.equalsIgnoringCase("q") {
        guard let value, let q = Self.thousandths(text.extracting(value.positions)) else {
          throw .preference
        }
        change.q = q
      } else {
        keep(name, value, text, in: &change)
      }
    }
    // RFC 5626 §6
    if change.instance == nil { change.regID = nil }
    if change.regID != nil, !hasOutboundHop {
      guard !message.lists("outbound", in: .supported) else { throw .firstHopLacksOutbound }
      change.regID = nil
    }
    // RFC 5626 §7: what registered a flow is reached over it.
    if change.regID != nil, isDirect { change.isReachedByFlow = address.uri.isSIP }
    if let wish, settings.isTooBrief(wish) { throw .intervalTooBrief(minimum: settings.minExpires) }
    change.duration = settings.granted(wish ?? settings.defaultExpires, random: random)
    return change
  }

  /// Keeps a contact parameter as it came, and apart what identifies the instance (RFC 5626 §4.1, §4.2). RFC 5627 §5.1: GRUUs are ours to
  /// give, those of the client don't count.
  private func keep(
    _ name: ByteRange, _ value: ByteRange?, _ text: Span<UInt8>, in change: inout RegistrationUpdate.ContactChange
  ) {
    let word = text.extracting(name.positions)
    if word.equalsIgnoringCase("pub-gruu") || word.equalsIgnoringCase("temp-gruu") { return }
    change.parameters.append(UInt8(ascii: ";"))
    change.parameters.append(text.extracting(name.positions))
    guard let value else { return }
    change.parameters.append(UInt8(ascii: "="))
    change.parameters += line(value)
    if word.equalsIgnoringCase("+sip.instance"), value.count > 2, text[Int(value.start)] == UInt8(ascii: "\"") {
      let quoted = line(ByteRange(Int(value.start) + 1, Int(value.end) - 1))
      var instance: [UInt8] = []
      InstanceIdentity.append(canonical: quoted.span, to: &instance)
      change.instance = instance.isEmpty ? nil : instance
    } else if word.equalsIgnoringCase("reg-id"), let number = Self.number(text.extracting(value.positions)) {
      // RFC 5626 §10: from 1 to 2^31 - 1
      change.regID = number > 0 && number < 1 << 31 ? UInt32(number) : nil
    }
  }

  /// Whether the contact is reached over the flow of this request; see ``Binding/isReachedByFlow``.
  private func isReachedByFlow(_ uri: SIPURI, _ text: Span<UInt8>) -> Bool {
    guard uri.isSIP else { return false }
    // A proxy passes on only what it finds a way for by the URI itself.
    if !isDirect, uri.address(in: text) != nil { return false }
    if flow.transport.isReliable { return true }
    guard uri.address(in: text) != nil, let via = try? message.topVia() else { return true }
    // A client behind a NAT doesn't know the address from which its datagrams come (RFC 3581 §4).
    var host = text.extracting(via.host.positions)
    if host.count > 2, host[0] == UInt8(ascii: "[") { host = host.extracting(1..<host.count - 1) }
    return IPAddress(host)?.unmapped != flow.remote.address.unmapped
  }

  /// RFC 3327 §5.3: all values in their order, as a Route will have them. Of a client that doesn't know of Path it is refused, as is recommended
  /// there: it could not see who put itself between.
  private func path() throws(RegistrationRefusal) -> [UInt8] {
    guard message.has(.path) else { return [] }
    guard message.lists("path", in: .supported) else { throw .pathNotSupported }
    let owned = message.bytes
    var path: [UInt8] = []
    var values = ValueIterator(.path, in: message)
    while let (value, _) = values.next(owned.span) {
      guard let address = try? NameAddress(owned.span, value), address.isBracketed, address.uri.isSIP else {
        throw .path
      }
      if !path.isEmpty { path.append(UInt8(ascii: ",")) }
      path += line(value)
    }
    return path
  }

  private func parsed<Part>(_ read: () throws(ParseError) -> Part) throws(RegistrationRefusal) -> Part {
    do { return try read() } catch { throw .malformed(error) }
  }

  /// The octets of a value on one line: what was folded, or would break a line when it is written again, becomes a space.
  private func line(_ value: ByteRange) -> [UInt8] {
    message.bytes[value.positions].map { $0 == 0x0D || $0 == 0x0A ? 0x20 : $0 }
  }
}

extension RegistrationRequest {
  /// RFC 5626 §6: a flow is registered alone.
  private func checkFlows(_ contacts: [RegistrationUpdate.ContactChange]) throws(RegistrationRefusal) {
    let kept = contacts.filter { $0.duration > 0 }
    if kept.count > 1, kept.contains(where: { $0.regID != nil }) { throw .severalFlows }
  }

  /// RFC 5630 §5.2: a SIPS contact is taken only where Request-URI, all contacts and all of Path are SIPS.
  private func checkSchemes(
    _ contacts: [RegistrationUpdate.ContactChange], _ text: Span<UInt8>
  ) throws(RegistrationRefusal) {
    let kept = contacts.filter { $0.duration > 0 }
    guard kept.contains(where: { SIPURI.isSIPS($0.uri.span) }) else { return }
    guard kept.allSatisfy({ SIPURI.isSIPS($0.uri.span) }), try parsed(message.requestURI).scheme == .sips else {
      throw .insecure
    }
    var values = ValueIterator(.path, in: message)
    while let (value, _) = values.next(text) {
      guard (try? NameAddress(text, value))?.uri.scheme == .sips else { throw .insecure }
    }
  }

  /// RFC 5626 §6: the first Path value tells by `ob` that the proxy which added it keeps the client's flow.
  private static func hasOutboundPath(_ message: Message) -> Bool {
    let owned = message.bytes
    var values = ValueIterator(.path, in: message)
    guard let (value, _) = values.next(owned.span), let address = try? NameAddress(owned.span, value) else {
      return false
    }
    return address.uri.parameter("ob", in: owned.span) != nil
  }

  private static func count(of name: HeaderName, in message: Message, upTo limit: Int) -> Int {
    let owned = message.bytes
    var values = ValueIterator(name, in: message)
    var count = 0
    while count < limit, values.next(owned.span) != nil { count += 1 }
    return count
  }

  /// RFC 3261 §10.2: what a malformed time counts as, in seconds.
  private static let malformedWish: Int64 = 3_600

  /// What the Expires header field asks for, in seconds; nil when there is none.
  private var headerWish: Int64? {
    guard let value = message.value(of: .expires) else { return nil }
    let owned = message.bytes
    return Self.seconds(owned.span.extracting(value.positions))
  }

  /// RFC 3261 §10.2: a number beyond 2^32 - 1 counts as that.
  private static func seconds(_ text: Span<UInt8>) -> Int64 {
    number(text) ?? malformedWish
  }

  /// A decimal number, lowered to 2^32 - 1; nil when it is none.
  private static func number(_ text: Span<UInt8>) -> Int64? {
    guard !text.isEmpty else { return nil }
    var number: Int64 = 0
    for index in text.indices {
      guard let digit = text[index].decimalDigit else { return nil }
      number = min(number * 10 + Int64(digit), Int64(UInt32.max))
    }
    return number
  }

  /// `qvalue` of RFC 3261 §25.1 in thousandths; nil when the text is none.
  static func thousandths(_ text: Span<UInt8>) -> UInt16? {
    guard text.count >= 1, text.count <= 5, let whole = text[0].decimalDigit, whole <= 1 else { return nil }
    if text.count > 1, text[1] != UInt8(ascii: ".") { return nil }
    var fraction: UInt16 = 0
    for index in 2..<5 {
      var digit: UInt8 = 0
      if index < text.count {
        guard let found = text[index].decimalDigit else { return nil }
        digit = found
      }
      fraction = fraction * 10 + UInt16(digit)
    }
    let q = UInt16(whole) * 1_000 + fraction
    return q <= 1_000 ? q : nil
  }
}
