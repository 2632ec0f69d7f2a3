import Structures

/// Records on their way to the next process of the slot, with the flows that their bindings hang on.
///
/// Encoded, one behind the other: the address of record behind its length (2 octets), the set as ``BindingCodec`` has it behind its length (4),
/// then how many of its bindings are ours (1) and the position of each (1).
extension OwnedBindings {
  /// Bindings of one address of record that can be told: as many as a position counts.
  private static let maximumBindings = 255
  /// Octets of one record that can be told.
  private static let maximumRecord = 96 << 10

  /// The records of the bindings that hang on a flow, in pieces of `size` octets and one record at most: `tell` gets each.
  public func records(over flow: FlowID, pieces size: Int, _ tell: ([UInt8]) -> Void) {
    var told: Set<UInt32> = []
    var piece: [UInt8] = []
    for handle in handles(over: flow) {
      guard let link = links[handle], told.insert(link.record).inserted else { continue }
      append(link.record, to: &piece) { $0 == flow }
      if piece.count < size { continue }
      tell(piece)
      piece = []
    }
    if !piece.isEmpty { tell(piece) }
  }

  /// The places where records are now, for ``appendDatagramRecord(at:to:)``.
  public var recordPositions: [UInt32] { positions }

  /// Appends the record at a place if it has bindings over UDP.
  public func appendDatagramRecord(at position: UInt32, to output: inout [UInt8]) {
    append(position, to: &output) { if case .datagram = $0 { true } else { false } }
  }

  private func append(_ position: UInt32, to output: inout [UInt8], _ isWanted: (FlowID) -> Bool) {
    guard let aor = aor(at: position), let set = set(at: position), set.bindings.count <= Self.maximumBindings else {
      return
    }
    var own: [UInt8] = []
    for (index, binding) in set.bindings.enumerated() where isWanted(binding.flow.id) && isOwn(binding, position) {
      own.append(UInt8(index))
    }
    if own.isEmpty { return }
    let start = output.count
    // One that is larger than any packet stays behind: its next refresh brings it.
    defer { if output.count - start > Self.maximumRecord { output.removeLast(output.count - start) } }
    output.append(counted: 2) { $0 += aor }
    output.append(counted: 4) { BindingCodec.append(set, to: &$0) }
    output.append(counted: 1) { $0 += own }
  }

  /// Takes over the records that another process of the slot wrote; what is known here already is newer. Returns how many addresses of record
  /// there were; nil when the octets make no sense.
  @discardableResult
  public func takeRecords(_ octets: Span<UInt8>) -> Int? {
    var parts = PartReader(octets, 0..<octets.count)
    var count = 0
    while !parts.isAtEnd {
      guard let aor = parts.counted(octets, 2), let encoded = parts.counted(octets, 4),
        let own = parts.counted(octets, 1),
        let set = BindingCodec.read(octets.extracting(encoded).withUnsafeBufferPointer(Array.init), from: 0)
      else { return nil }
      take(octets.extracting(aor).withUnsafeBufferPointer(Array.init), set, own.map { Int(octets[$0]) })
      count += 1
    }
    return count
  }

  private func take(_ aor: [UInt8], _ set: BindingSet, _ own: [Int]) {
    let hash = Self.hash(aor.span)
    var position = record(of: aor.span, hash)
    for index in own where index < set.bindings.count && !isFull {
      let binding = set.bindings[index]
      let identity = BindingIdentity(binding, hashing: hashing)
      if let position, link(of: position, identity, binding.flow.id) != nil { continue }
      let place = position ?? makeRecord(aor, hash, set)
      position = place
      put(binding, identity, place)
    }
  }
}
