import SIPMessage
import SIPTransaction
import Structures

/// How a registered contact is reached (RFC 3261 §16.6 step 2, RFC 3327 §5.3, RFC 5626 §7).
extension ServerCore {
  /// A binding as a target; nil for a contact to which no SIP request can be sent.
  func target(of binding: Binding) -> ResponseContext.Target? {
    guard let hop = nextHop(of: binding) else { return nil }
    if !binding.path.isEmpty { return target(of: binding, along: binding.path) }
    let uri = requestURI(of: binding)
    return ResponseContext.Target(
      uri: uri, hop: hop, q: binding.q, instance: binding.instance,
      identity: uri.count == binding.uri.count ? .none : BindingIdentity(binding, hashing: hashing), origin: .binding)
  }

  /// Which binding a target is, for a token or for the search of the flow that it has now. It is computed only when it is asked for.
  func identity(of target: ResponseContext.Target) -> BindingIdentity {
    if target.identity.kind != .none || target.origin != .binding { return target.identity }
    return BindingIdentity(instance: target.instance, contact: target.uri, hashing: hashing)
  }

  /// RFC 3327 §5.3: the Path becomes the Route. Its first value is where the request goes: to its address, or if that can't be reached or
  /// isn't one, over the connection by which the registration came.
  private func target(of binding: Binding, along path: [UInt8]) -> ResponseContext.Target? {
    let text = path.span
    let end = Self.endOfFirstValue(text)
    guard let first = try? NameAddress(text, ByteRange(0, end)) else { return nil }
    let contact = requestURI(of: binding)
    let rest = end < path.count ? Array(path[(end + 1)...]) : []
    let flow = NextHop(
      destination: .flow(binding.flow.id), transport: binding.flow.transport, listener: binding.flow.listener)
    var (hop, fallback): (NextHop, NextHop?) = (flow, nil)
    if isOurRoute(first.uri, text, binding.flow) {
      // We are the edge ourselves: the token names the flow to the client.
      if let user = first.uri.user, let named = token(text.extracting(user.positions))?.hop { hop = named }
      return ResponseContext.Target(
        uri: contact, hop: hop, q: binding.q, instance: binding.instance, origin: .binding, route: rest)
    }
    if let direct = address(of: first.uri, text), !isEnd(of: binding.flow, direct) { (hop, fallback) = (direct, flow) }
    // RFC 3261 §16.6 step 6
    let isStrict = first.uri.parameter("lr", in: text) == nil
    let router = isStrict ? Array(path[first.uri.range.positions]) : []
    return ResponseContext.Target(
      uri: isStrict ? router : contact, hop: hop, q: binding.q, instance: binding.instance,
      identity: BindingIdentity(binding, hashing: hashing), origin: .binding,
      lastRoute: isStrict ? contact : [], route: isStrict ? rest : path, fallback: fallback)
  }

  /// Whether an address is the other end of a flow.
  private func isEnd(of flow: Flow, _ hop: NextHop) -> Bool {
    guard case .address(let address, let transport, _) = hop.destination else { return false }
    return transport == flow.transport && address == flow.remote
  }

  /// Where the first of the values joined by commas ends.
  private static func endOfFirstValue(_ text: Span<UInt8>) -> Int {
    var isQuoted = false
    var isBracketed = false
    var index = 0
    while index < text.count {
      switch text[index] {
      case UInt8(ascii: "\\") where isQuoted: index += 1
      case UInt8(ascii: "\"") where !isBracketed: isQuoted.toggle()
      case UInt8(ascii: "<") where !isQuoted: isBracketed = true
      case UInt8(ascii: ">") where !isQuoted: isBracketed = false
      case UInt8(ascii: ",") where !isQuoted && !isBracketed: return index
      default: break
      }
      index += 1
    }
    return text.count
  }

  /// A contact is reached over the flow that it was registered over, whatever address it claims; only a datagram client that isn't behind
  /// a NAT at the address that it gave.
  func nextHop(of binding: Binding) -> NextHop? {
    guard isListener(binding.flow.listener, of: binding.flow.transport) else { return nil }
    let flow = NextHop(
      destination: .flow(binding.flow.id), transport: binding.flow.transport, listener: binding.flow.listener)
    if binding.isReachedByFlow { return flow }
    let contact = binding.uri
    guard let uri = try? SIPURI(contact.span, ByteRange(0, contact.count)), uri.isSIP else { return nil }
    // Nobody's contact is this server: such a request would come back here, several for each.
    guard !settings.isOurs(uri, contact.span, binding.flow) else { return flow }
    return address(of: uri, contact.span).map { direct($0, binding.flow) } ?? flow
  }

  /// Whether there is a listener of that transport at a position: what was stored or sealed may be of another process, with other listeners.
  func isListener(_ index: UInt16, of transport: TransportProtocol) -> Bool {
    Int(index) < settings.listeners.count && settings.listeners[Int(index)].transport == transport
  }

  /// A datagram peer's address is a flow like that over which it registered: its dialogs are led back to it.
  private func direct(_ hop: NextHop, _ flow: Flow) -> NextHop {
    guard case .address(let address, .udp, _) = hop.destination, case .datagram(let datagram) = flow.id,
      datagram.remote.address.family == address.address.family
    else { return hop }
    let peer = DatagramFlow(node: datagram.node, listener: datagram.listener, remote: address)
    return NextHop(
      destination: .flow(.datagram(peer)), transport: .udp, listener: datagram.listener, isContactAddress: true)
  }

  /// RFC 3261 §16.6 step 2: the contact as a Request-URI.
  func requestURI(of binding: Binding) -> [UInt8] {
    let contact = binding.uri
    guard Self.mayBeMoreThanRequestURI(contact.span),
      let uri = try? SIPURI(contact.span, ByteRange(0, contact.count)), uri.isMoreThanRequestURI(contact.span)
    else { return contact }
    var shortened: [UInt8] = []
    uri.appendRequestURI(contact.span, to: &shortened)
    return shortened
  }

  /// False for nearly every contact, so that it isn't read again for each request.
  private static func mayBeMoreThanRequestURI(_ contact: Span<UInt8>) -> Bool {
    for index in contact.indices {
      if contact[index] == UInt8(ascii: "?") { return true }
      guard contact[index] == UInt8(ascii: ";"), index + 1 < contact.count else { continue }
      let next = contact[index + 1].lowercased
      if next == UInt8(ascii: "m") || next == UInt8(ascii: "%") { return true }
    }
    return false
  }
}
