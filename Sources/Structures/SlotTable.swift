/// Names one element of a ``SlotTable``. A handle whose element was removed never names a later one.
public struct SlotHandle: Hashable, Sendable {
  /// Position in the table; dense, so that other tables can be indexed by it.
  public let index: UInt32
  /// How often the position had been given out before; makes old handles fail.
  public let generation: UInt32

  /// A handle from its parts, for instance read back from a branch.
  @inlinable
  public init(index: UInt32, generation: UInt32) {
    self.index = index
    self.generation = generation
  }

  /// Both parts in one word, for a tag or a token.
  @inlinable public var word: UInt64 { UInt64(generation) << 32 | UInt64(index) }

  /// The handle that ``word`` came from.
  @inlinable
  public init(word: UInt64) {
    self.init(index: UInt32(truncatingIfNeeded: word), generation: UInt32(truncatingIfNeeded: word >> 32))
  }
}

/// Elements at stable positions, with handles that detect reuse. Positions are taken again last in, first out,
/// so a table in a steady state allocates nothing.
public struct SlotTable<Element> {
  @usableFromInline
  struct Slot {
    @usableFromInline var generation: UInt32
    @usableFromInline var element: Element?
    @usableFromInline init(generation: UInt32, element: Element?) {
      self.generation = generation
      self.element = element
    }
  }

  @usableFromInline var slots: [Slot] = []
  @usableFromInline var free: [UInt32] = []

  /// An empty table.
  @inlinable
  public init() {}

  /// How many elements the table holds.
  @inlinable public var count: Int { slots.count - free.count }

  /// Stores `element` and returns the handle that names it until ``remove(_:)``.
  @inlinable
  public mutating func insert(_ element: Element) -> SlotHandle {
    if let index = free.popLast() {
      slots[Int(index)].element = element
      return SlotHandle(index: index, generation: slots[Int(index)].generation)
    }
    slots.append(Slot(generation: 1, element: element))
    return SlotHandle(index: UInt32(slots.count - 1), generation: 1)
  }

  /// Removes and returns the element; nil when the handle is stale.
  @inlinable
  @discardableResult
  public mutating func remove(_ handle: SlotHandle) -> Element? {
    guard contains(handle) else { return nil }
    let element = slots[Int(handle.index)].element.take()
    slots[Int(handle.index)].generation &+= 1
    free.append(handle.index)
    return element
  }

  /// Whether the handle names an element.
  @inlinable
  public func contains(_ handle: SlotHandle) -> Bool {
    let index = Int(handle.index)
    return index < slots.count && slots[index].generation == handle.generation && slots[index].element != nil
  }

  /// The element named by the handle; nil when it is stale.
  @inlinable
  public subscript(handle: SlotHandle) -> Element? {
    let index = Int(handle.index)
    guard index < slots.count, slots[index].generation == handle.generation else { return nil }
    return slots[index].element
  }

  /// The handle of the element at a position; nil when the position is free.
  @inlinable
  public func handle(at index: UInt32) -> SlotHandle? {
    guard Int(index) < slots.count, slots[Int(index)].element != nil else { return nil }
    return SlotHandle(index: index, generation: slots[Int(index)].generation)
  }

  /// Changes the element in place; nil, without calling `change`, when the handle is stale.
  @inlinable
  @discardableResult
  public mutating func update<Result>(_ handle: SlotHandle, _ change: (inout Element) -> Result) -> Result? {
    guard contains(handle) else { return nil }
    guard var element = slots[Int(handle.index)].element.take() else { return nil }
    let result = change(&element)
    slots[Int(handle.index)].element = element
    return result
  }

  /// Calls `body` with every handle and element, in order of position.
  @inlinable
  public func forEach(_ body: (SlotHandle, Element) -> Void) {
    for (index, slot) in slots.enumerated() {
      if let element = slot.element {
        body(SlotHandle(index: UInt32(index), generation: slot.generation), element)
      }
    }
  }
}
