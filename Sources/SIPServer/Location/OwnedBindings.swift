import Structures

/// The bindings that came in over this worker, by the flow that they hang on: they are given up with it, and who sends over a flow is known by them.
///
/// Owned by ``ServerCore``. Of each address of record with such a binding there is one record, the whole set as it was last known, packed
/// (``BindingCodec``). Where a location service keeps its truth elsewhere, the record is what the worker knows without asking, answers for while nobody can
/// be asked, and writes again when it was lost (``isKept``); `OwnedBindings+Records.swift` has that side.
public final class OwnedBindings {
  /// One of the bindings, taken out of its record.
  struct Entry {
    /// The canonical address of record.
    let aor: [UInt8]
    /// See ``BindingIdentity``.
    let identity: BindingIdentity
    /// The binding as it was written last.
    let binding: Binding
  }

  /// What is kept of an entry: the rest is in its record.
  struct Link {
    let identity: BindingIdentity
    let flow: FlowID
    let record: UInt32
    /// The next of the same record.
    var sibling = OwnedBindings.none
    /// The neighbours of the same flow.
    var next = OwnedBindings.none
    var previous = OwnedBindings.none
    /// Whether the client itself is at the other end: then the entry is in the list of its flow (``Binding/isDirect``).
    let isDirect: Bool
  }

  static let none = UInt32.max
  let hashing: any Hashing
  var links = SlotTable<Link>()
  var records = SlotTable<Record>()
  /// By address of record.
  var index = HashIndex()
  /// The first entry of each flow.
  private var heads = HashIndex()
  private var newcomers: [SlotHandle] = []
  /// When something of each record ends, by the civil clock.
  var expiries: TimerWheel
  private let maximum: Int
  var scratch: [UInt8] = []
  /// Whether the location service keeps the records itself; else ``note(_:_:)`` does. Set before anything is noted.
  public var isKept = false

  /// None yet; `now` is the present in Unix seconds, `maximum` the most bindings that are noted.
  public init(now: Int64, maximum: Int = .max, hashing: any Hashing) {
    self.maximum = maximum
    self.hashing = hashing
    expiries = TimerWheel(start: Instant(unixSeconds: now))
  }

  /// How many bindings there are.
  public var count: Int { links.count }
  /// Whether there are as many as may be.
  public var isFull: Bool { links.count >= maximum }
  /// How many stream flows have any. Looks at all bindings.
  var streamCount: Int {
    var count = 0
    links.forEach { _, link in
      if case .stream = link.flow, link.isDirect, link.previous == Self.none { count += 1 }
    }
    return count
  }

  /// Takes up what an update left of the bindings of its address of record: those that came over its flow. Those that are no more, over whatever
  /// flow they were, are forgotten. Returns the position of the record; nil when there is none, as none of the bindings is this worker's.
  @discardableResult
  public func note(_ update: RegistrationUpdate, _ set: BindingSet) -> UInt32? {
    let hash = Self.hash(update.aor.span)
    var position = record(of: update.aor.span, hash)
    if let known = position {
      store(set, at: known)
      // Without entries it may be gone.
      position = record(of: update.aor.span, hash)
    }
    for binding in set.bindings where binding.flow.id == update.flow.id {
      let identity = BindingIdentity(binding, hashing: hashing)
      if let position, link(of: position, identity, binding.flow.id) != nil { continue }
      guard !isFull else { continue }
      let place = position ?? makeRecord(update.aor, hash, set)
      position = place
      put(binding, identity, place)
    }
    guard let position, !dropIfVacant(position) else { return nil }
    return position
  }

  /// Takes out all bindings of a flow and returns their addresses of record.
  func removeAll(over flow: FlowID) -> [[UInt8]] {
    var removed: [[UInt8]] = []
    while let position = head(of: flow), let handle = links.handle(at: position), let link = links[handle] {
      if let aor = aor(at: link.record) { removed.append(aor) }
      remove(handle, link)
    }
    return removed
  }

  /// A binding by its handle; nil when it is no more.
  subscript(handle: SlotHandle) -> Entry? {
    guard let link = links[handle], let aor = aor(at: link.record), let set = set(at: link.record) else { return nil }
    let binding = set.bindings.first { isBinding($0, of: link) }
    return binding.map { Entry(aor: aor, identity: link.identity, binding: $0) }
  }

  /// Takes out one binding and returns it.
  func remove(_ handle: SlotHandle) -> Entry? {
    guard let entry = self[handle], let link = links[handle] else { return nil }
    remove(handle, link)
    return entry
  }

  /// The bindings of a flow.
  func handles(over flow: FlowID) -> [SlotHandle] {
    var found: [SlotHandle] = []
    var position = head(of: flow) ?? Self.none
    while let (handle, link) = link(at: position) {
      found.append(handle)
      position = link.next
    }
    return found
  }

  /// Takes the bindings over datagram flows that came up since it was last asked.
  func takeNewcomers() -> [SlotHandle] {
    if newcomers.isEmpty { return [] }
    defer { newcomers.removeAll() }
    return newcomers
  }

  /// Names all bindings over datagram flows as newcomers.
  func nameDatagramsAnew() {
    newcomers.removeAll()
    links.forEach { handle, link in
      if case .datagram = link.flow, link.isDirect { newcomers.append(handle) }
    }
  }

  /// What is known of who sends over a flow: the binding of `aor` that hangs on it.
  func identity(over flow: FlowID, aor: Span<UInt8>) -> BindingIdentity {
    guard count > 0, let record = record(of: aor, Self.hash(aor)) else { return .none }
    var position = records.handle(at: record).flatMap { records[$0]?.first } ?? Self.none
    while let (_, link) = link(at: position) {
      if link.isDirect, link.flow == flow { return link.identity }
      position = link.sibling
    }
    return .none
  }

  /// One of the addresses of record that are registered over a flow; nil when there is none.
  func firstRecord(over flow: FlowID) -> [UInt8]? {
    head(of: flow).flatMap { link(at: $0) }.flatMap { aor(at: $0.1.record) }
  }

  /// The address of record that is registered over a flow, if it is only one.
  func onlyRecord(over flow: FlowID) -> [UInt8]? {
    guard let first = head(of: flow).flatMap({ link(at: $0) })?.1 else { return nil }
    var position = first.next
    while let (_, link) = link(at: position) {
      if link.record != first.record { return nil }
      position = link.next
    }
    return aor(at: first.record)
  }

  // MARK: Entries

  func link(at position: UInt32) -> (SlotHandle, Link)? {
    guard position != Self.none, let handle = links.handle(at: position), let link = links[handle] else { return nil }
    return (handle, link)
  }

  /// The entry of a record with an identity and a flow.
  func link(of record: UInt32, _ identity: BindingIdentity, _ flow: FlowID) -> SlotHandle? {
    var position = records.handle(at: record).flatMap { records[$0]?.first } ?? Self.none
    while let (handle, link) = link(at: position) {
      if link.identity == identity, link.flow == flow { return handle }
      position = link.sibling
    }
    return nil
  }

  func isBinding(_ binding: Binding, of link: Link) -> Bool {
    binding.flow.id == link.flow && BindingIdentity(binding, hashing: hashing) == link.identity
  }

  func put(_ binding: Binding, _ identity: BindingIdentity, _ record: UInt32) {
    guard let place = records.handle(at: record) else { return }
    let flow = binding.flow.id
    var link = Link(identity: identity, flow: flow, record: record, isDirect: binding.isDirect)
    link.sibling = records[place]?.first ?? Self.none
    let old = binding.isDirect ? head(of: flow) : nil
    if let old { link.next = old }
    let handle = links.insert(link)
    records.update(place) { $0.first = handle.index }
    guard binding.isDirect else { return }
    let hash = Self.hash(flow)
    if let old {
      if let (neighbour, _) = self.link(at: old) { links.update(neighbour) { $0.previous = handle.index } }
      heads.remove(hash, old)
    }
    heads.insert(hash, handle.index)
    if case .datagram = flow { newcomers.append(handle) }
  }

  /// Takes an entry out of the lists of its flow and its record. A record without entries goes, unless the location service keeps it.
  func remove(_ handle: SlotHandle, _ link: Link) {
    if link.isDirect { takeFromFlow(handle, link) }
    links.remove(handle)
    guard let place = records.handle(at: link.record), let record = records[place] else { return }
    if record.first == handle.index {
      records.update(place) { $0.first = link.sibling }
    } else {
      var position = record.first
      while let (before, other) = self.link(at: position) {
        if other.sibling == handle.index {
          links.update(before) { $0.sibling = link.sibling }
          break
        }
        position = other.sibling
      }
    }
    if !isKept { dropIfVacant(link.record) }
  }

  private func takeFromFlow(_ handle: SlotHandle, _ link: Link) {
    if let (next, _) = self.link(at: link.next) { links.update(next) { $0.previous = link.previous } }
    if let (previous, _) = self.link(at: link.previous) {
      links.update(previous) { $0.next = link.next }
      return
    }
    let hash = Self.hash(link.flow)
    heads.remove(hash, handle.index)
    if link.next != Self.none { heads.insert(hash, link.next) }
  }

  private func head(of flow: FlowID) -> UInt32? {
    if heads.count == 0 { return nil }
    return heads.find(Self.hash(flow)) { link(at: $0)?.1.flow == flow }
  }

  private static func hash(_ flow: FlowID) -> UInt64 {
    var hasher = Hasher()
    hasher.combine(flow)
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }

  /// Of an address of record; keyed per process, as peers choose the addresses.
  package static func hash(_ aor: Span<UInt8>) -> UInt64 {
    var hasher = Hasher()
    aor.withUnsafeBufferPointer { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }
}
