import Structures

/// A user of the run: who it is, and what the server last challenged it with. Its connections are numbered from
/// ``firstConnection`` on.
final class ClientUser {
  let index: Int
  let name: [UInt8]
  let password: [UInt8]
  /// `sip:` name `@` domain.
  let address: [UInt8]
  let firstConnection: Int
  /// The challenge that the user's requests answer from now on.
  var challenge: DigestChallenge?

  init(index: Int, name: [UInt8], password: [UInt8], domain: [UInt8], firstConnection: Int) {
    self.index = index
    self.name = name
    self.password = password
    self.firstConnection = firstConnection
    address = Array("sip:".utf8) + name + [0x40] + domain
  }
}
