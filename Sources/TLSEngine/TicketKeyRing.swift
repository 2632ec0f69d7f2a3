import COpenSSL
import Structures

/// The keys that seal the session tickets of a worker (RFC 5077 §4, RFC 8446 §4.6.1).
///
/// They come from the cluster's secret and a random salt of each epoch of twelve hours. All workers have the same, so a client
/// goes on with its session at any of them, and after a restart; whoever learns the secret later can't open what was recorded,
/// for the salts are gone by then (RFC 9325 §3.4). Without a salt there is a key of this process alone.
public final class TicketKeyRing {
  /// How long the keys of an epoch seal, in seconds; they open for as long again.
  public static let epochSeconds: Int64 = 43_200
  /// Octets of a salt.
  public static let saltLength = 32

  let pointer: OpaquePointer
  private let secret: [UInt8]
  /// The newest epoch whose salt is known; nil: none is.
  public private(set) var newestEpoch: UInt64?

  /// Keys of a cluster's secret. Throws when memory or randomness lacks.
  public init(secret: [UInt8]) throws(TLSError) {
    guard let pointer = copenssl_tickets_make() else { throw .configuration("ticket keys") }
    self.pointer = pointer
    self.secret = secret
  }

  deinit { copenssl_tickets_free(pointer) }

  /// Which epoch a time in Unix seconds belongs to; the first is 1.
  public static func epoch(of unixSeconds: Int64) -> UInt64 { UInt64(max(0, unixSeconds) / epochSeconds) + 1 }

  /// Takes the keys of an epoch into use, whose salt is known now.
  public func add(epoch: UInt64, salt: [UInt8]) throws(TLSError) {
    var keys = [UInt8](repeating: 0, count: copenssl_ticket_keys_size)
    defer { Secrets.wipe(&keys) }
    var information = Array("apus ticket 1".utf8)
    information.append(bigEndian: epoch, 8)
    let good = copenssl_hkdf(
      secret, secret.count, salt, salt.count, information, information.count, &keys, keys.count)
    guard good == 1 else { throw .configuration("ticket keys") }
    copenssl_tickets_add(pointer, epoch, keys)
    newestEpoch = max(newestEpoch ?? 0, epoch)
  }
}
