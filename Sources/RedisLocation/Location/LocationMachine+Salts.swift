import Structures
import TLSEngine

/// What the keys of session tickets are made of besides the cluster's secret: a random salt for each epoch, which the first worker
/// that needs it puts into Redis and Redis forgets when its time is over.
extension LocationMachine {
  /// Salts that this worker knows.
  struct Salts {
    /// The present epoch's and that of the one before.
    fileprivate var known: [UInt64: [UInt8]] = [:]
    /// Epochs of which Redis has told what it holds.
    fileprivate var confirmed: Set<UInt64> = []

    /// Redis may hold others than it told: it is another data set.
    mutating func doubt() { confirmed = [] }
  }

  /// How long a salt is kept in Redis, in seconds: its epoch and the one after.
  private static let saltSeconds = 2 * TicketKeyRing.epochSeconds

  /// Asks for what isn't known of the present epoch and of the one before, whose tickets are still opened.
  func askForSalts(at now: Moment, _ orders: inout LocationOrders) {
    let epoch = TicketKeyRing.epoch(of: now.unixSeconds)
    salts.known = salts.known.filter { $0.key + 1 >= epoch }
    salts.confirmed = salts.confirmed.filter { $0 + 1 >= epoch }
    for wanted in [epoch - 1, epoch] where !salts.confirmed.contains(wanted) {
      // After a loss of what Redis held, what is in use goes back there.
      if let salt = salts.known[wanted] ?? (wanted == epoch ? freshSalt() : nil) {
        send(.beginSalt(epoch: wanted, salt: salt, seconds: Int(Self.saltSeconds)), for: .nothing, &orders)
      }
      send(.readSalt(epoch: wanted), for: .salt(epoch: wanted), &orders)
    }
  }

  /// Redis told the salt of an epoch; nil: there is none.
  func readSalt(_ epoch: UInt64, _ reply: LocationReply, _ orders: inout LocationOrders) {
    guard case .value(let value) = reply else { return }
    salts.confirmed.insert(epoch)
    guard let value, value.count == TicketKeyRing.saltLength, salts.known[epoch] != value else { return }
    salts.known[epoch] = value
    orders.salts.append((epoch, value))
  }

  private func freshSalt() -> [UInt8] {
    var salt: [UInt8] = []
    while salt.count < TicketKeyRing.saltLength { salt.append(bigEndian: randomWord(), 8) }
    return salt
  }
}
