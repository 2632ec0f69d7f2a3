import CTLSRecords
import Structures

/// A detached session on its way to another process, which has the socket as well: the keys, what was read and not asked for, what was sealed
/// and not sent, and what the handshake proved.
///
/// Encoded: format (1 octet), what is known (1: bit 0 resumed, bit 1 a name), the name with its length (2), the state of the records with
/// its length (4), which `CTLSRecords` writes.
extension TLSSession {
  private static let format: UInt8 = 1

  /// Whether it can go on in another process: established, without SSL object, and with a peer that showed no certificate.
  public var canMove: Bool { isUsable && isEstablished && isDetached && !hasPeerCertificate }

  /// Appends the state, which holds keys: whoever has the octets must wipe them. From then on the session reads and seals nothing, whoever asks, as the
  /// other process may: two records with one number would betray the key. ``takeBack()`` ends that.
  public func appendState(to output: inout [UInt8]) {
    precondition(canMove)
    lend()
    let name = Array((sentName ?? "").utf8)
    output.append(Self.format)
    output.append((isResumed ? 1 : 0) | (sentName == nil ? 0 : 2))
    output.append(bigEndian: UInt64(name.count), 2)
    output += name
    let length = tlsrecords_export(records, nil, 0)
    output.append(bigEndian: UInt64(length), 4)
    output.append(addingCapacity: length) { part in
      part.withUnsafeMutableBufferPointer { octets, count in
        guard let start = octets.baseAddress?.advanced(by: count) else { return }
        count += tlsrecords_export(records, start, length)
      }
    }
  }

  /// Takes over what another process wrote; nil when it isn't that, or memory lacks.
  public convenience init?(moved octets: Span<UInt8>, isServer: Bool, descriptor: Int32) {
    var parts = PartReader(octets, 0..<octets.count)
    guard parts.number(octets, 1) == UInt64(Self.format), let known = parts.number(octets, 1), known < 4,
      let name = parts.counted(octets, 2), let state = parts.counted(octets, 4), parts.isAtEnd
    else { return nil }
    let records = octets.extracting(state).withUnsafeBufferPointer { tlsrecords_import($0.baseAddress, $0.count) }
    guard let records else { return nil }
    guard tlsrecords_is_server(records) == isServer else {
      tlsrecords_free(records)
      return nil
    }
    let text = octets.extracting(name).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    self.init(
      records: records, descriptor: descriptor, isServer: isServer, name: known & 2 == 0 ? nil : text,
      isResumed: known & 1 != 0)
  }

  /// The other process is known never to have used the state, nor ever to do so: the session goes on.
  public func takeBack() { if isLent { endLoan() } }

  /// Wipes the keys, without a word to the peer: another process has the connection now.
  public func forget() { abandon() }
}

/// Overwrites octets that held keys.
public func wipe(_ octets: inout [UInt8]) {
  octets.withUnsafeMutableBytes { buffer in
    guard let start = buffer.baseAddress else { return }
    tlsrecords_wipe(start, buffer.count)
  }
  octets.removeAll(keepingCapacity: true)
}
