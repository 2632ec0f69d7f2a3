/// One number that a worker keeps in its page.
public struct Counter: Sendable, Equatable {
  /// How the numbers of several workers become one of the node.
  public enum Kind: String, Sendable {
    /// Counts what happened: the sum, ended workers included; never falls while the node lives.
    case counter
    /// What is held now: the sum of the workers that live.
    case gauge
    /// The greatest of the workers that live.
    case maximum
  }

  /// The name, for instance `tcp.accepted`: group and word.
  public let name: String
  /// How it adds up.
  public let kind: Kind
  /// What is counted: `requests`, `bytes`, `us` (microseconds), `unix seconds`.
  public let unit: String
  /// One line.
  public let summary: String

  init(_ name: String, _ kind: Kind, _ unit: String, _ summary: String) {
    self.name = name
    self.kind = kind
    self.unit = unit
    self.summary = summary
  }
}

/// Every number that workers count, once. The position in ``all`` is where it stands in a worker's page; supervisor and workers are of one version, so
/// the order may change between versions.
public enum CounterTable {
  /// The numbers, by group.
  public static let all = [
    messages, users, transactions, location, streams, handshakes, revocation, datagrams, links, loop,
  ].flatMap { $0 }

  /// The position of a name; nil when there is none of that name.
  public static func position(of name: String) -> Int? { positions[name] }

  private static let positions = Dictionary(
    all.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })

  /// The positions of the names that a pattern means: a name, or what begins with the text before a final `*`. Empty when there is none.
  public static func positions(matching pattern: String) -> [Int] {
    guard pattern.hasSuffix("*") else { return position(of: pattern).map { [$0] } ?? [] }
    let prefix = pattern.dropLast()
    return all.indices.filter { all[$0].name.hasPrefix(prefix) }
  }

  private static let messages: [Counter] = [
    Counter("core.requests_received", .counter, "requests", "requests received, retransmissions included"),
    Counter("core.responses_received", .counter, "responses", "responses received"),
    Counter("core.requests_forwarded", .counter, "requests", "requests forwarded, one for each branch"),
    Counter("core.responses_forwarded", .counter, "responses", "responses forwarded"),
    Counter("core.responses_1xx", .counter, "responses", "provisional responses that this node made"),
    Counter("core.responses_2xx", .counter, "responses", "successful responses that this node made"),
    Counter("core.responses_3xx", .counter, "responses", "redirections that this node made"),
    Counter("core.responses_4xx", .counter, "responses", "responses of class 4 that this node made"),
    Counter("core.responses_5xx", .counter, "responses", "responses of class 5 that this node made"),
    Counter("core.responses_6xx", .counter, "responses", "responses of class 6 that this node made"),
    Counter("core.malformed", .counter, "messages", "messages that could not be understood"),
    Counter("core.overloaded", .counter, "requests", "requests refused for lack of room"),
    Counter("core.dropped", .counter, "messages", "messages dropped without an answer"),
    Counter("core.stray_responses", .counter, "responses", "responses that matched no transaction"),
  ]

  private static let users: [Counter] = [
    Counter("registrar.accepted", .counter, "requests", "REGISTER requests accepted"),
    Counter("registrar.refused", .counter, "requests", "REGISTER requests refused, challenges not counted"),
    Counter("auth.challenges", .counter, "responses", "challenges sent"),
    Counter("keepalive.sent", .counter, "requests", "keep-alives sent to UDP clients"),
    Counter("keepalive.given_up", .counter, "contacts", "contacts removed because they answered no keep-alive"),
  ]

  private static let transactions: [Counter] = [
    Counter("tm.client_transactions", .gauge, "transactions", "transactions towards next hops"),
    Counter("tm.server_transactions", .gauge, "transactions", "transactions of requests that came"),
    Counter("tm.contexts", .gauge, "requests", "requests being proxied"),
    Counter("tm.queries", .gauge, "questions", "questions to the location service without an answer"),
    Counter("tm.messages", .gauge, "messages", "messages in use"),
    Counter("tm.timers", .gauge, "timers", "deadlines of transactions"),
  ]

  private static let location: [Counter] = [
    Counter("ul.bindings", .gauge, "bindings", "bindings that came in over this node and are registered"),
    Counter("ul.cached", .gauge, "users", "users of other workers whose contacts are kept in mind"),
    Counter("redis.degraded_since", .maximum, "unix seconds", "since when Redis can't be used; 0 while it can"),
    Counter("redis.queued", .gauge, "users", "users whose refreshes and registrations have yet to be written"),
    Counter("redis.stalled", .gauge, "users", "users of whom something is to be removed once Redis is back"),
    Counter("redis.under_way", .gauge, "commands", "commands that Redis has not answered yet"),
  ]

  private static let links: [Counter] = [
    Counter("link.up", .gauge, "links", "other workers of the node that can be reached, by worker"),
    Counter("link.frames_sent", .counter, "frames", "frames sent to other workers of the node"),
    Counter("link.packets_sent", .counter, "packets", "packets that these were sent in"),
    Counter("link.frames_received", .counter, "frames", "frames received from other workers of the node"),
    Counter("link.refused", .counter, "frames", "frames not sent because too much waited for the other worker"),
    Counter("link.broken", .counter, "links", "links ended because what came made no sense"),
    Counter("link.longest_queue", .maximum, "bytes", "the most bytes that ever waited for another worker"),
    Counter("link.responses_passed", .counter, "responses", "responses that belonged to another worker"),
    Counter("link.responses_orphaned", .counter, "responses", "of these, those whose worker was gone"),
    Counter("link.offers_made", .counter, "requests", "requests that the other workers were asked for"),
    Counter("link.offers_taken", .counter, "requests", "of these, those that another worker took"),
  ]

  private static let streams: [Counter] = [
    Counter("tcp.connections", .gauge, "connections", "TCP and TLS connections, in whatever state"),
    Counter("tcp.addresses", .gauge, "addresses", "peer addresses with accepted connections, by worker"),
    Counter("tcp.accepted", .counter, "connections", "connections accepted"),
    Counter("tcp.initiated", .counter, "connections", "connections that this node began to open"),
    Counter("tcp.opened", .counter, "connections", "connections that became usable"),
    Counter("tcp.closed", .counter, "connections", "usable connections that ended"),
    Counter("tcp.refused", .counter, "connections", "connections refused: limits.connections"),
    Counter(
      "tcp.refused_by_address", .counter, "connections",
      "connections refused: limits.connections_per_address, limits.handshakes_per_address"),
    Counter("tcp.refused_by_system", .counter, "connections", "connections refused for want of descriptors or memory"),
    Counter("tcp.timeouts", .counter, "connections", "connections ended by a time limit"),
    Counter("tcp.suspects", .counter, "connections", "times that a connection fell under suspicion"),
    Counter("tcp.framing_errors", .counter, "connections", "streams whose messages could not be told apart"),
    Counter("tcp.suspensions", .counter, "times", "times that nothing was read from a peer that did not read"),
    Counter("tls.handshakes", .gauge, "handshakes", "TLS handshakes under way with accepted connections"),
    Counter("tls.handshake_failures", .counter, "handshakes", "TLS handshakes that failed, time limits not counted"),
    Counter("tls.evicted_handshakes", .counter, "handshakes", "TLS handshakes ended early because others waited"),
    Counter("tls.failed_not_tls", .counter, "handshakes", "failed handshakes: peers that sent something else than TLS"),
    Counter("tls.failed_version", .counter, "handshakes", "failed handshakes: no version in common"),
    Counter("tls.failed_cipher", .counter, "handshakes", "failed handshakes: no cipher suite in common"),
    Counter(
      "tls.failed_certificate", .counter, "handshakes",
      "failed handshakes: certificates refused for another reason than those below"),
    Counter("tls.failed_expired", .counter, "handshakes", "failed handshakes: certificates that have expired"),
    Counter(
      "tls.failed_not_yet_valid", .counter, "handshakes", "failed handshakes: certificates that are not valid yet"),
    Counter(
      "tls.failed_unknown_ca", .counter, "handshakes",
      "failed handshakes: certificates of an authority that we do not trust"),
    Counter("tls.failed_self_signed", .counter, "handshakes", "failed handshakes: certificates that signed themselves"),
    Counter("tls.failed_purpose", .counter, "handshakes", "failed handshakes: certificates for something else"),
    Counter(
      "tls.failed_chain_too_long", .counter, "handshakes",
      "failed handshakes: certificates with more authorities above them than permitted"),
    Counter(
      "tls.failed_no_certificate", .counter, "handshakes", "failed handshakes: no certificate where one is required"),
    Counter(
      "tls.failed_identity", .counter, "handshakes", "failed handshakes: servers whose certificate is for somebody else"
    ),
    Counter("tls.failed_alert", .counter, "handshakes", "failed handshakes: refused by the peer"),
    Counter("tls.failed_closed", .counter, "handshakes", "failed handshakes: left by the peer"),
  ]

  private static let revocation: [Counter] = [
    Counter("revocation.refused", .counter, "handshakes", "handshakes refused because a certificate is revoked"),
    Counter("revocation.crl_expired", .counter, "handshakes", "handshakes refused because a CRL is too old"),
    Counter(
      "revocation.ocsp_unavailable", .counter, "handshakes", "handshakes refused because a status can't be found out"),
    Counter("revocation.ocsp_asked", .counter, "questions", "questions sent to OCSP responders"),
    Counter("revocation.ocsp_failed", .counter, "questions", "of these, those without an answer that counts"),
    Counter("revocation.stapled", .gauge, "certificates", "certificates of ours with a stapled answer, by worker"),
    Counter(
      "revocation.ended", .counter, "connections", "connections ended because a certificate was revoked meanwhile"),
    Counter("revocation.next_update", .maximum, "unix seconds", "when the first of the CRLs expires; 0 without any"),
  ]

  /// TLS handshakes and what they agreed upon.
  private static let handshakes: [Counter] = [
    Counter("tls.opened_connections", .gauge, "connections", "TLS connections that are open"),
    Counter("tls.accepted", .counter, "connections", "TLS connections that peers opened"),
    Counter("tls.connected", .counter, "connections", "TLS connections that this node opened"),
    Counter("tls.resumed", .counter, "connections", "of both, those that continued an earlier session"),
    Counter("tls.verified", .counter, "connections", "of both, those whose peer's certificate was verified"),
    Counter("tls.version_tlsv1", .counter, "connections", "TLS connections of version 1.0"),
    Counter("tls.version_tlsv1_1", .counter, "connections", "TLS connections of version 1.1"),
    Counter("tls.version_tlsv1_2", .counter, "connections", "TLS connections of version 1.2"),
    Counter("tls.version_tlsv1_3", .counter, "connections", "TLS connections of version 1.3"),
    Counter("tls.cipher_aes128_gcm", .counter, "connections", "TLS connections with AES-128-GCM"),
    Counter("tls.cipher_aes256_gcm", .counter, "connections", "TLS connections with AES-256-GCM"),
    Counter("tls.cipher_chacha20_poly1305", .counter, "connections", "TLS connections with ChaCha20-Poly1305"),
    Counter("tls.cipher_other", .counter, "connections", "TLS connections with any other cipher"),
    Counter("tls.failed_timeout", .counter, "handshakes", "TLS handshakes that were not done in time"),
    Counter("tls.failed_other", .counter, "handshakes", "of tls.handshake_failures: any other reason"),
    Counter("tls.days_left", .maximum, "days", "days until the first certificate of the profiles expires; 0: expired"),
    Counter("tls.key_log", .maximum, "files", "1 while the secrets of TLS connections are written to tls.key_log"),
  ]

  private static let datagrams: [Counter] = [
    Counter("net.messages_received", .counter, "messages", "whole messages received, by streams and UDP"),
    Counter("net.messages_sent", .counter, "messages", "messages accepted for sending"),
    Counter("net.bytes_received", .counter, "bytes", "bytes received, after decryption"),
    Counter("net.bytes_sent", .counter, "bytes", "bytes sent, before encryption"),
    Counter("net.keepalives", .counter, "keep-alives", "line breaks and empty datagrams received"),
    Counter("net.overloads", .counter, "messages", "messages not sent because too much waited"),
    Counter("udp.dropped", .counter, "datagrams", "datagrams that the socket did not take"),
    Counter("udp.refused", .counter, "datagrams", "datagrams that ICMP reported as not delivered"),
    Counter("stun.answered", .counter, "requests", "STUN requests answered, also with an error"),
    Counter("stun.ignored", .counter, "datagrams", "datagrams that began like STUN and got no answer"),
  ]

  private static let loop: [Counter] = [
    Counter("loop.turns", .counter, "turns", "turns of the event loop"),
    Counter("loop.events", .counter, "events", "events delivered by the event loop"),
    Counter("loop.slow_turns", .counter, "turns", "turns of more than 10 ms"),
    Counter("loop.longest_turn", .maximum, "us", "the longest turn of the event loop of any worker"),
    Counter("loop.descriptors", .gauge, "descriptors", "descriptors in the event loops"),
    Counter("loop.deadlines", .gauge, "deadlines", "deadlines in the event loops"),
  ]
}
