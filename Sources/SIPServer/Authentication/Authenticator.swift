import SIPMessage
import SIPTransaction
import Structures

/// Checks who sent a request, by digest authentication (RFC 3261 §22, RFC 7616, RFC 8760), and makes the challenges.
///
/// Owned by one thread. Read `check` first; `NonceTable.swift` says when a nonce counts, `DigestCredentials.swift` reads the header
/// field. In a steady state a check allocates nothing.
public final class Authenticator {
  /// What a request proves.
  public enum Verdict: Sendable, Equatable {
    /// The user is who the credentials name: ``Authenticator/user``.
    case accepted
    /// No credentials for the realm that could be checked: to be challenged.
    case missing
    /// The password is right, but the nonce is too old, used up or another's: to be challenged with `stale`.
    case stale
    /// Unknown user or wrong password, which can't be told apart: to be challenged anew.
    case refused
    /// The user, ``Authenticator/user``, has to be asked for first.
    case needsUser
    /// The user can't be asked for at present.
    case unavailable
    /// The password is right, but another worker may have seen the nonce: it has to be claimed first; see ``Authenticator/nonce``.
    case needsClaim
    /// The same, and it is being claimed already.
    case awaitsClaim
  }

  /// The algorithms offered where the directory says nothing else, best first.
  public internal(set) var algorithms: AlgorithmList
  /// How long a nonce is accepted, in seconds.
  public let nonceLifetime: Int64
  /// The user name of the credentials that were checked last, with quoting undone; empty when there were none.
  public private(set) var user: [UInt8] = []
  /// Whether what was accepted last was the first use of a nonce, of which other workers are told.
  public private(set) var isFirstUse = false
  /// The nonce of the credentials that were checked last; nil when it wasn't ours.
  private(set) var nonce: Nonce?

  private let hashing: any Hashing
  private let issuer: NonceIssuer
  /// Nonces of this worker from then or before may be those of a process before it.
  private let start: Int64
  private var nonces: NonceCodec
  private var table: NonceTable
  private var text: [UInt8] = []
  private var digest: [UInt8] = []

  /// An authenticator of the worker that `identity` names. `nonceCapacity` nonces in use are remembered at most; `now` is the present in Unix
  /// seconds.
  public init(
    hashing: any Hashing, identity: Branch, algorithms: AlgorithmList, nonceLifetime: Int64,
    nonceCapacity: Int = 131_072, now: Int64
  ) {
    self.hashing = hashing
    issuer = NonceIssuer(node: identity.node, slot: identity.slot, generation: identity.generation)
    start = now
    self.algorithms = algorithms
    self.nonceLifetime = nonceLifetime
    nonces = NonceCodec(hashing)
    table = NonceTable(capacity: nonceCapacity, lifetime: nonceLifetime, now: now)
  }

  /// How many nonces in use are remembered.
  public var nonceCount: Int { table.count }

  /// Lets go of the nonces of a connection that is closed.
  public func flowClosed(_ flow: FlowID) { table.flowClosed(flow) }

  /// Forgets nonces that have ended. Checks do so as well; this is for quiet times.
  public func removeExpired(_ now: Int64) { table.removeExpired(now) }

  /// The algorithms to offer to a user.
  public func offered(to user: Span<UInt8>, domain: Span<UInt8>, users: any UserDirectory) -> AlgorithmList {
    users.algorithms(domain: domain, user: user) ?? algorithms
  }

  /// Checks the credentials that a request has for a realm.
  ///
  /// `header` is `.authorization` or `.proxyAuthorization`. `domain` (canonical, in small letters) is where `users` is asked for the user;
  /// `now` is in Unix seconds. `mayClaim` is false when the claim of the nonce has failed: then it is too old. ACK and CANCEL can't be challenged and
  /// must not be given here (RFC 3261 §22.1).
  public func check(
    _ message: Message, header: HeaderName, domain: Span<UInt8>, realm: Span<UInt8>, users: any UserDirectory,
    flow: FlowID, mayClaim: Bool = true, now: Int64
  ) -> Verdict {
    isFirstUse = false
    let owned = message.bytes
    guard
      let credentials = credentials(message, owned.span, header: header, domain: domain, realm: realm, users: users)
    else { return .missing }
    // The same work for all: neither an unknown user nor a nonce of another's making ends the check early.
    nonce = nonces.decode(owned.span.extracting(credentials.nonce.positions), realm: realm)
    let name = user
    let readiness = users.readiness(domain: domain, user: name.span, now: now)
    switch readiness {
    case .ready, .aging: break
    // Nobody makes us ask who hasn't got a nonce from us.
    case .unknown: return nonce == nil ? .stale : .needsUser
    case .away: return nonce == nil ? .stale : .unavailable
    }
    let isRight = isRight(credentials, message, owned.span, domain: domain, users: users)
    guard isRight, isAbout(message, owned.span, credentials) else {
      return isRight || readiness == .ready ? .refused : .needsUser
    }
    guard let nonce, abs(now - nonce.issued) <= nonceLifetime else { return .stale }
    let count = credentials.quality == .auth ? credentials.count : nil
    switch table.use(nonce, flow: flow, count: count, isSole: isSole(nonce, flow), mayClaim: mayClaim, now: now) {
    case .accepted: return .accepted
    case .first:
      isFirstUse = true
      return .accepted
    case .toClaim: return .needsClaim
    case .waiting: return .awaitsClaim
    case .refused: return .stale
    }
  }

  /// Whether a nonce need not be claimed: this process gave it out, to the flow that uses it. That its client used it elsewhere before isn't seen
  /// then; nobody else sits at this flow who could gain by it.
  private func isSole(_ nonce: Nonce, _ flow: FlowID) -> Bool {
    nonce.issuer == issuer && nonces.check(of: flow) == nonce.flowCheck
  }

  /// The answer to the claim of a nonce. Where nobody can say, it is good at its issuer.
  func claimed(_ nonce: Nonce, _ outcome: ClaimOutcome) {
    let isOwn = nonce.issuer == issuer && nonce.issued > start
    table.claimed(nonce, outcome == .unavailable && isOwn ? .granted : outcome)
  }

  /// Appends the name under which a nonce is claimed, in letters of base64url.
  func appendClaim(of nonce: Nonce, to output: inout [UInt8]) { nonces.appendName(of: nonce, to: &output) }

  /// Appends a challenge for each algorithm, in their order, all with one nonce (RFC 8760 §2.3).
  ///
  /// `header` is `.wwwAuthenticate` or `.proxyAuthenticate`; `flow` is that of the request; `now` is in Unix seconds.
  public func appendChallenge(
    _ header: HeaderName, realm: Span<UInt8>, algorithms: AlgorithmList, stale: Bool, flow: FlowID, now: Int64,
    to output: inout [UInt8]
  ) {
    text.clear()
    let nonce = Nonce(issued: now, word: hashing.randomWord(), issuer: issuer, flowCheck: nonces.check(of: flow))
    nonces.append(nonce, realm: realm, to: &text)
    for position in 0..<algorithms.count {
      guard let algorithm = algorithms[position] else { continue }
      output.append(header == .proxyAuthenticate ? "Proxy-Authenticate" : "WWW-Authenticate")
      output.append(": Digest realm=\"")
      for index in realm.indices {
        if realm[index] == UInt8(ascii: "\"") || realm[index] == UInt8(ascii: "\\") {
          output.append(UInt8(ascii: "\\"))
        }
        output.append(realm[index])
      }
      output.append("\", nonce=\"")
      output += text
      output.append("\", algorithm=")
      output.append(algorithm.token)
      output.append(", qop=\"auth\"")
      if stale { output.append(", stale=true") }
      output.append("\r\n")
    }
  }

  /// The first credentials for the realm that use what we offer to the user they name.
  private func credentials(
    _ message: Message, _ octets: Span<UInt8>, header: HeaderName, domain: Span<UInt8>, realm: Span<UInt8>,
    users: any UserDirectory
  ) -> DigestCredentials? {
    user.clear()
    nonce = nil
    guard let first = message.firstIndex(of: header) else { return nil }
    for field in message.fields[first...] where field.name == header {
      guard let found = DigestCredentials(octets, field.value), octets.equalsUnquoted(found.realm, realm),
        let algorithm = found.algorithm, !found.nonce.isEmpty
      else { continue }
      // RFC 8760 §2.6: the digest of RFC 2069 is left to old clients, which know MD5 alone.
      guard found.quality == .auth || found.quality == .none && algorithm == .md5 else { continue }
      user.clear()
      octets.appendUnquoted(found.username, to: &user)
      let name = user
      if offered(to: name.span, domain: domain, users: users).contains(algorithm) { return found }
    }
    user.clear()
    return nil
  }

  /// Whether the response is the one that the user's password gives (RFC 7616 §3.4.1, RFC 2617 §3.2.2.1).
  private func isRight(
    _ credentials: DigestCredentials, _ message: Message, _ octets: Span<UInt8>, domain: Span<UInt8>,
    users: any UserDirectory
  ) -> Bool {
    guard let algorithm = credentials.algorithm else { return false }
    text.clear()
    let name = user
    let isKnown = users.appendHA1(domain: domain, user: name.span, algorithm: algorithm, to: &text)
    if !isKnown { text.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: algorithm.length * 2)) }
    let ha1Length = text.count
    // H(A2) is computed behind HA1 and then replaced by what goes between them.
    text.append(octets.extracting(message.methodToken.positions))
    text.append(UInt8(ascii: ":"))
    octets.appendUnquoted(credentials.uri, to: &text)
    hash(algorithm, from: ha1Length)
    text.removeSubrange(ha1Length...)
    text.append(UInt8(ascii: ":"))
    octets.appendUnquoted(credentials.nonce, to: &text)
    text.append(UInt8(ascii: ":"))
    if credentials.quality == .auth {
      octets.appendUnquoted(credentials.nonceCount, to: &text)
      text.append(UInt8(ascii: ":"))
      octets.appendUnquoted(credentials.cnonce, to: &text)
      text.append(UInt8(ascii: ":"))
      octets.appendUnquoted(credentials.qop, to: &text)
      text.append(UInt8(ascii: ":"))
    }
    appendDigest()
    hash(algorithm, from: 0)
    text.clear()
    appendDigest()
    let expected = text
    let isEqual = hashing.equalInConstantTime(expected.span, octets.extracting(credentials.response.positions))
    return isEqual && isKnown
  }

  /// Puts the hash of the text from a position on into `digest`.
  private func hash(_ algorithm: HashAlgorithm, from start: Int) {
    // A second reference for the time of the call only, so that the text is not copied when it is changed again.
    let whole = text
    digest.clear()
    hashing.appendHash(algorithm, whole.span.extracting(start..<whole.count), to: &digest)
  }

  /// Whether the URI that the digest covers may stand for the Request-URI.
  ///
  /// RFC 3261 §22.4 item 6, RFC 8760 §2.6 item 6: proxies retarget requests, and some clients write the server's address, so it need not be
  /// equivalent; it has to be a URI. A client that doesn't count its uses (no `qop`) proves little, so there user and host have to
  /// be those of the Request-URI, whatever port and parameters either has.
  private func isAbout(_ message: Message, _ octets: Span<UInt8>, _ credentials: DigestCredentials) -> Bool {
    guard let uri = try? SIPURI(octets, credentials.uri) else { return false }
    if credentials.quality == .auth { return true }
    guard let target = try? message.requestURI(), uri.isSIP, target.isSIP else {
      return octets.extracting(credentials.uri.positions).equals(
        octets.extracting(message.requestURIRange.positions))
    }
    text.clear()
    digest.clear()
    uri.appendAddressOfRecord(octets, to: &text)
    target.appendAddressOfRecord(octets, to: &digest)
    return text == digest
  }

  /// Appends the last hash to the text, in hexadecimal.
  private func appendDigest() {
    let octets = digest
    text.append(hexadecimal: octets.span)
  }
}
