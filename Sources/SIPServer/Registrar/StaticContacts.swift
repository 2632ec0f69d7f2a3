import Structures

/// A contact that stands in the configuration, for a gateway that doesn't register. It has no flow and never ends.
public struct StaticContact: Sendable, Equatable {
  /// The URI, a SIP or SIPS URI without brackets.
  public let uri: [UInt8]
  /// The preference in thousandths, 0 to 1,000.
  public let q: UInt16

  /// A contact.
  public init(uri: [UInt8], q: UInt16 = 1_000) {
    self.uri = uri
    self.q = q
  }
}

/// The static contacts of all addresses of record.
public struct StaticContacts: Sendable {
  private struct Entry {
    let aor: [UInt8]
    var contacts: [StaticContact]
  }

  /// By address of record, for a binary search.
  private var entries: [Entry] = []

  /// None.
  public init() {}

  /// Adds a contact to those of an address of record, given as its key, `user@domain`.
  public mutating func add(_ contact: StaticContact, to aor: [UInt8]) {
    let position = firstPosition(notBelow: aor.span)
    if position < entries.count, entries[position].aor == aor {
      let contacts = entries[position].contacts
      let place = contacts.firstIndex { $0.q < contact.q } ?? contacts.count
      entries[position].contacts.insert(contact, at: place)
    } else {
      entries.insert(Entry(aor: aor, contacts: [contact]), at: position)
    }
  }

  /// The contacts of an address of record, the preferred ones first, those of one preference in the order of the configuration.
  func contacts(of aor: Span<UInt8>) -> [StaticContact] {
    if entries.isEmpty { return [] }
    let position = firstPosition(notBelow: aor)
    guard position < entries.count else { return [] }
    let entry = entries[position]
    return entry.aor.span.equals(aor) ? entry.contacts : []
  }

  private func firstPosition(notBelow aor: Span<UInt8>) -> Int {
    var (low, high) = (0, entries.count)
    while low < high {
      let middle = (low + high) / 2
      let key = entries[middle].aor
      if Self.precedes(key.span, aor) { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private static func precedes(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
    for index in 0..<min(left.count, right.count) where left[index] != right[index] {
      return left[index] < right[index]
    }
    return left.count < right.count
  }
}

extension ServerSettings {
  /// The static contacts of an address of record, given as its key, `user@domain`; the preferred ones first.
  func staticContacts(for aor: Span<UInt8>) -> [StaticContact] {
    staticContacts.contacts(of: aor)
  }
}
