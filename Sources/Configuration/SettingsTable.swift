/// Every setting, exactly once. The reader, the sample file, the reference and the help all come from this table;
/// a setting that is read anywhere else is a defect.
///
/// Order is that of the sample. To add a setting: one entry here, one property in ``NodeConfiguration``, one line
/// where the property is filled.
public enum SettingsTable {
  /// The settings in the order of the sample and the reference.
  public static let all: [Setting] =
    identity + listening + storing + security + registration + trust + reaching + forwarding + bounds + waiting
    + operation

  private static let identity: [Setting] = [
    Setting(
      "node", .text(.name), default: .derived("the name of the host"), reload: .restart, example: "sip1",
      "The name of this node within the cluster. No other node may have it. It stands in logs and in the names of "
        + "connections, not in messages."),
    Setting(
      "advertise", .text(.host),
      default: .derived("the address of the first listener if it is a single one, else node"),
      reload: .newWorkers, example: "sip1.example.test",
      "The host name or address of this node, written into Via. Answers come back to it, so it must lead to this "
        + "node alone; the certificate must carry it. May be set for each listener."),
    Setting(
      "cluster.name", .text(.host), default: .derived("advertise"), reload: .newWorkers, example: "sip.example.test",
      "The host name or address written into Record-Route and Path. With several nodes it is one name that leads to "
        + "all of them, so that a dialog outlives any node; each node's certificate must carry it."),
    Setting(
      "cluster.secret_file", .file, default: .derived("a secret made at the first start and kept in state_directory"),
      reload: .newWorkers, example: "cluster.key",
      "A file with at least 16 bytes, the same on all nodes, known to nobody else. From it come the keys for nonces, "
        + "branches and flow tokens. `openssl rand -hex 32` makes one."),
    Setting(
      "cluster.link", .text(.hostAndPort), reload: .restart, example: "\"10.0.0.1:5070\"",
      availability: .ignoredYet("this version runs a single node"),
      "The address and first port on which this node's workers take links from other nodes."),
    Setting(
      "domains", .names(.host), default: .required, reload: .newWorkers, sample: "[example.test]",
      "The domains that this node is responsible for: it registers their users and routes requests to them. A list of "
        + "names, or a map from names to the settings below."),
    Setting(
      "domains.*.aliases", .list(.host), default: .written("[]"), reload: .newWorkers, example: "[www.example.test]",
      "Other names and addresses of the same domain: alice@alias is the user alice of this domain."),
    Setting(
      "domains.*.realm", .text(.quotable), default: .derived("the name of the domain"), reload: .newWorkers,
      example: "example.test",
      "The realm named in challenges. The hashes in the users file are made for a realm: with another realm, every "
        + "password must be set again."),
    Setting(
      "domains.*.users", .file, reload: .live, example: "users.yaml",
      "A users file for this domain, beside the one of authentication.users; or `redis`, as there."),
    Setting(
      "domains.*.algorithms", .list(.algorithm), default: .derived("authentication.algorithms"), reload: .live,
      example: "[MD5]",
      "The digest algorithms offered to the users of this domain, best first."),
    Setting(
      "workers", .countOrAuto(1...256), default: .written("auto"), reload: .restart,
      "How many worker processes serve; auto: one for each processor core. To a client they are one server: whichever it is "
        + "connected to, it reaches all others."),
  ]

  private static let listening: [Setting] = [
    Setting(
      "listen", .items(short: "address"),
      default: .written("[\"tls:0.0.0.0:5061\", \"tcp:0.0.0.0:5060\", \"udp:0.0.0.0:5060\"]"), reload: .restart,
      "Where to listen: a list of `transport:address:port`, or of maps with the settings below. Transports are tls, "
        + "tcp and udp. IPv6 addresses stand in brackets: `tls:[::]:5061`. The port may be left out: 5061 for tls, 5060 "
        + "for the others."),
    Setting(
      "listen[].address", .text(.listener), default: .required, reload: .restart, example: "\"tls:[::]:5061\"",
      "Transport, address and port of the listener."),
    Setting(
      "listen[].profile", .text(.name), default: .written("default"), reload: .newWorkers,
      "The TLS server profile, an entry of tls.server, for connections whose client names no other server."),
    Setting(
      "listen[].advertise", .text(.hostAndPort), default: .derived("advertise, with the port of the listener"),
      reload: .newWorkers, example: "sip1.example.test:5061",
      "The host, with or without port, written into Via for this listener: needed behind a port forwarding."),
    Setting(
      "state_directory", .path, default: .written("/var/lib/apus"), reload: .restart,
      "A directory of this node alone, for what must outlive a restart. It is made if it is missing; a second "
        + "supervisor with the same directory does not start."),
    Setting(
      "user", .text(.name), reload: .restart, example: "apus",
      "The user as whom workers and the private Redis run when the node is started by root. The supervisor stays root: it "
        + "opens the listeners and reads the key files. Without it they run as whoever starts the node."),
    Setting(
      "group", .text(.name), default: .derived("the group of user"), reload: .restart, example: "apus",
      "Their group, beside the further groups of user."),
  ]

  private static let storing: [Setting] = [
    Setting(
      "redis", .either(short: "url"),
      default: .derived("a redis-server of the node's own, with its data in state_directory"), reload: .restart,
      example: "redis://127.0.0.1:6379/0",
      "Where registrations are kept for all workers and nodes: the url, or a map with the settings below. Without it the "
        + "supervisor starts a redis-server for this node alone."),
    Setting(
      "redis.url", .text(.redisURL), default: .derived("a redis-server of the node's own"), reload: .restart,
      example: "redis://127.0.0.1:6379/0",
      "The server: redis://host:port/database, rediss:// for the same over TLS, unix:/path?db=database, or "
        + "sentinel://host:port,host:port/master/database for the master that sentinels name. user:password@ may stand "
        + "before the host. Hosts are addresses, localhost, or names that stand in /etc/hosts when the node starts: this "
        + "version asks no name server for them. Redis Cluster is not supported."),
    Setting(
      "redis.user", .text(.any), default: .derived("that of the url, else the default user"), reload: .newWorkers,
      example: "apus",
      "The user of the server's access list (ACL). It must be allowed the keys and channels of redis.prefix, and the "
        + "commands EVALSHA, EVAL, SCRIPT, GET, SET, DEL, EXPIRE, PUBLISH, SUBSCRIBE, PING, SELECT and, with sentinels, ROLE."
    ),
    Setting(
      "redis.password", .text(.any), default: .derived("that of the url, else none"), reload: .newWorkers,
      example: "\"open sesame\"",
      "The password of the user. A file of its own keeps it out of this one: redis.password_file."),
    Setting(
      "redis.password_file", .file, reload: .newWorkers, example: "redis.password",
      "A file whose first line is the password."),
    Setting(
      "redis.database", .count(RedisURL.databases), default: .derived("that of the url, else 0"), reload: .newWorkers,
      example: "0",
      "The number of the database. Messages of channels know no databases: clusters that share a server need different "
        + "prefixes."),
    Setting(
      "redis.prefix", .text(.quotable), default: .written("apus:"), reload: .restart,
      "What all keys and channels begin with. All nodes of a cluster have the same; two clusters on one server need two."
    ),
    Setting(
      "redis.timeout", .duration(50...60_000), default: .written("2s"), reload: .newWorkers,
      "How long a command may wait for its reply. When it passes, the connection is given up and opened anew; what waited "
        + "on it fails."),
    Setting(
      "redis.tls", .boolean, default: .derived("yes with rediss://, else no"), reload: .newWorkers, example: "yes",
      "Whether the server is reached over TLS; for servers behind sentinels, which have no url of their own. The sentinels "
        + "themselves are reached without."),
    Setting(
      "redis.ca_list", .file, default: .derived("the authorities of the system"), reload: .newWorkers,
      example: "ca.pem",
      "The authorities, in PEM, that may have issued the certificate of the server."),
    Setting(
      "redis.verify_certificate", .boolean, default: .written("yes"), reload: .newWorkers,
      "Whether the server must prove by its certificate that it is the host of the url; behind sentinels, that it has the "
        + "address that they name."),
    Setting(
      "redis.sentinel_user", .text(.any), default: .derived("the default user"), reload: .newWorkers, example: "apus",
      "The user of the sentinels' access list."),
    Setting(
      "redis.sentinel_password", .text(.any), default: .derived("none"), reload: .newWorkers,
      example: "\"open sesame\"",
      "The password for the sentinels."),
    Setting(
      "redis.sentinel_password_file", .file, reload: .newWorkers, example: "sentinel.password",
      "A file whose first line is the password for the sentinels."),
  ]

  private static let security: [Setting] = [
    Setting(
      "tls.server.*.certificate", .files, default: .required, reload: .live, sample: "server.pem",
      formerNames: ["tls_certificate", "certificate_file"],
      "The certificate shown to clients, in PEM, with its chain behind it. Or a list, one for each kind of key: clients get the one "
        + "that they can verify, so that an ECDSA certificate can stand beside one with RSA."),
    Setting(
      "tls.server.*.private_key", .files, default: .required, reload: .live, sample: "server.key",
      formerNames: ["tls_private_key", "private_key_file"],
      "The private key of the certificate, in PEM, without a pass phrase; with a list of certificates a list in the same order. Only "
        + "the supervisor reads the files."),
    Setting(
      "tls.server.*.ca_list", .file, default: .derived("the authorities of the system"), reload: .live,
      example: "ca.pem", formerNames: ["tls_ca_list", "ca_file"],
      "The authorities, in PEM, that may have issued certificates of clients."),
    Setting(
      "tls.server.*.ca_path", .path, reload: .live, example: "/etc/ssl/certs",
      "A directory of such authorities, in PEM, beside ca_list. Other files in it are left alone."),
    Setting(
      "tls.server.*.verify_depth", .count(0...100), default: .written("9"), reload: .live,
      "Authorities between the certificate of a client and its root at most."),
    Setting(
      "tls.server.*.verify_client", .choice(ClientVerification.allCases.map(\.rawValue)), default: .written("off"),
      reload: .live,
      "Whether clients show a certificate. off: it is not asked for. optional: a client without one is served, one "
        + "with a bad one is not. require: a client without a good one is not served."),
    Setting(
      "tls.server.*.verify_certificate", .boolean, default: .written("no"), reload: .live,
      formerNames: ["tls_verify_client", "verify_cert"], availability: .older,
      "An older way to say verify_client: optional, for certificates that clients show."),
    Setting(
      "tls.server.*.require_certificate", .boolean, default: .written("no"), reload: .live,
      formerNames: ["tls_require_client_certificate", "tls_require_certificate", "require_cert"], availability: .older,
      "An older way to say verify_client: require, with verify_certificate or without."),
    Setting(
      "tls.server.*.min_version", .text(.tlsVersion), default: .written("TLSv1.2"), reload: .live,
      "The oldest TLS version accepted. TLSv1 and TLSv1.1 are broken (RFC 8996) and accepted only where they are named; OpenSSL's "
        + "security level is lowered with them."),
    Setting(
      "tls.server.*.max_version", .text(.tlsVersion), default: .written("TLSv1.3"), reload: .live,
      "The newest TLS version accepted."),
    Setting(
      "tls.server.*.tls_method", .text(.any), reload: .live, example: "TLSv1.2+",
      formerNames: ["method", "ssl_method"], availability: .older,
      "An older way to say min_version and max_version. TLSv1.2: this version alone. TLSv1.2+: this and newer ones. SSLv23: what "
        + "is safe, TLSv1.2+."),
    Setting(
      "tls.server.*.cipher_list", .text(.ciphers), default: .derived("ECDHE+AESGCM:ECDHE+CHACHA20"), reload: .live,
      example: "ECDHE+AESGCM", formerNames: ["tls_cipher_list", "ciphers"],
      "The cipher suites of TLS 1.2 and older, the preferred first, in the words of openssl-ciphers(1). Clients that put ChaCha20 "
        + "first get it. NULL ciphers, for tests, have to be named."),
    Setting(
      "tls.server.*.ciphersuites", .text(.any), default: .derived("the choice of OpenSSL"), reload: .live,
      example: "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384",
      "The cipher suites of TLS 1.3, in the words of openssl-ciphers(1)."),
    Setting(
      "tls.server.*.session_tickets", .boolean, default: .written("yes"), reload: .live,
      "Whether clients get session tickets (RFC 5077, RFC 8446 §4.6.1), by which they come back at less cost, at any "
        + "worker and after a restart. Their keys change every twelve hours. Where the profile has revocation lists, clients "
        + "that show a certificate do a full handshake each time."),
    Setting(
      "tls.server.*.server_name", .list(.hostPattern), default: .written("[]"), reload: .live,
      example: "[sip.example.test]",
      "The names by which clients select this profile (server name indication), on any TLS listener; *.example.test is every name "
        + "below example.test. A whole name goes before a pattern, a longer pattern before a shorter one."),
    Setting(
      "tls.server.*.groups", .text(.any), default: .derived("X25519:P-256:P-384"), reload: .live,
      example: "P-256:P-384",
      "Groups for the key exchange, the preferred first, in the words of OpenSSL."),
    Setting(
      "tls.server.*.handshake_timeout", .duration(100...300_000), default: .derived("timeouts.handshake"),
      reload: .live,
      example: "5s", formerNames: ["tls_handshake_timeout"], "For the handshake of a connection of this profile."),
    Setting(
      "tls.server.*.send_timeout", .duration(100...300_000), default: .derived("timeouts.send"), reload: .live,
      example: "5s", formerNames: ["tls_send_timeout"],
      "Without any progress while something waits to be sent over a connection of this profile."),
    Setting(
      "tls.server.*.log_level", .choice(NodeConfiguration.Log.Level.allCases.map(\.rawValue)),
      default: .written("info"),
      reload: .live, formerNames: ["tls_log"],
      "The level at which lines tell of new connections of this profile: with debug they are left out while log.level is info, with "
        + "warning they are written even while that is warning."),
    Setting(
      "tls.server.*.crl", .files, default: .written("[]"), reload: .live, example: "[crl.pem]",
      formerNames: ["crl_file"],
      "Lists of revoked certificates, in PEM or DER: files, and directories with nothing else in them. They are watched: a "
        + "file that changes is checked and holds within seconds, for connections that are open too; one that can't be "
        + "used leaves the old in force. The certificate of a client needs a list of its issuer."),
    Setting(
      "tls.server.*.crl_check", .choice(RevocationProfile.Depth.allCases.map(\.rawValue)), default: .written("chain"),
      reload: .live,
      "Which certificates are looked up. leaf: that of the client. chain: those of its authorities too, where there is a "
        + "list of who issued them."),
    Setting(
      "tls.server.*.crl_expired", .choice(RevocationProfile.Expiry.allCases.map(\.rawValue)),
      default: .written("reject"),
      reload: .live,
      "What a list does whose next one is overdue. reject: nobody is accepted by it. warn: it goes on as if it were new. "
        + "Three days before, the log begins to tell of it."),
    Setting(
      "tls.server.*.ocsp", .choice(RevocationProfile.OCSPMode.allCases.map(\.rawValue)), default: .written("off"),
      reload: .live,
      "Whether the OCSP responder that the certificate of a client names is asked about it, before anything is read from the "
        + "client. soft: who can't be found out about comes in, with a line in the log. hard: it doesn't. Answers are kept until "
        + "the next is due."),
    Setting(
      "tls.server.*.ocsp_responder", .text(.any), default: .derived("what the certificate names"), reload: .live,
      example: "http://ocsp.example.test/", "The responder to ask whatever the certificate names."),
    Setting(
      "tls.server.*.ocsp_timeout", .duration(100...30_000), default: .written("3s"), reload: .live,
      "How long an answer is waited for, within timeouts.handshake."),
    Setting(
      "tls.server.*.ocsp_recheck", .duration(1_000...604_800_000, zero: "never"), default: .written("0"), reload: .live,
      "How often it is asked again about each client that is connected. Whoever is revoked meanwhile is disconnected."),
    Setting(
      "tls.server.*.stapling", .boolean, default: .derived("yes if the certificate names an OCSP responder"),
      reload: .live,
      example: "yes",
      "Whether clients that ask get the responder's answer about the certificate along with it. It is fetched anew at half of "
        + "its time. A certificate that demands it (must-staple) isn't served without."),
    Setting(
      "tls.client.*.certificate", .files, reload: .live, example: "server.pem", formerNames: ["certificate_file"],
      "The certificate shown to servers that ask for one, in PEM, with its chain behind it; or a list, one for each kind of key."
    ),
    Setting(
      "tls.client.*.private_key", .files, reload: .live, example: "server.key", formerNames: ["private_key_file"],
      "The private key of that certificate, or a list in the same order."),
    Setting(
      "tls.client.*.ca_list", .file, default: .derived("the authorities of the system"), reload: .live,
      example: "ca.pem", formerNames: ["tls_ca_list", "ca_file"],
      "The authorities, in PEM, that may have issued certificates of servers."),
    Setting(
      "tls.client.*.ca_path", .path, reload: .live, example: "/etc/ssl/certs",
      "A directory of such authorities, in PEM, beside ca_list. Other files in it are left alone."),
    Setting(
      "tls.client.*.verify_depth", .count(0...100), default: .written("9"), reload: .live,
      "Authorities between the certificate of a server and its root at most."),
    Setting(
      "tls.client.*.verify_certificate", .boolean, default: .written("yes"), reload: .live,
      formerNames: ["verify_cert", "tls_verify_server"],
      "Whether a server must prove by its certificate that it is the one that was wanted (RFC 5922 §7.3)."),
    Setting(
      "tls.client.*.min_version", .text(.tlsVersion), default: .written("TLSv1.2"), reload: .live,
      "The oldest TLS version offered."),
    Setting(
      "tls.client.*.max_version", .text(.tlsVersion), default: .written("TLSv1.3"), reload: .live,
      "The newest TLS version offered."),
    Setting(
      "tls.client.*.tls_method", .text(.any), reload: .live, example: "TLSv1.2+",
      formerNames: ["method", "ssl_method"], availability: .older,
      "An older way to say min_version and max_version. TLSv1.2: this version alone. TLSv1.2+: this and newer ones. SSLv23: what "
        + "is safe, TLSv1.2+."),
    Setting(
      "tls.client.*.cipher_list", .text(.ciphers), default: .derived("ECDHE+AESGCM:ECDHE+CHACHA20"), reload: .live,
      example: "ECDHE+AESGCM", formerNames: ["tls_cipher_list", "ciphers"],
      "The cipher suites of TLS 1.2 and older, in the words of openssl-ciphers(1)."),
    Setting(
      "tls.client.*.ciphersuites", .text(.any), default: .derived("the choice of OpenSSL"), reload: .live,
      example: "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384",
      "The cipher suites of TLS 1.3, in the words of openssl-ciphers(1)."),
    Setting(
      "tls.client.*.domains", .list(.hostPattern), default: .written("[]"), reload: .live,
      example: "[example.test, \"*.example.test\"]",
      "The domains, hosts and addresses that are reached by this profile; *.example.test is every name below example.test. The "
        + "name before DNS counts. A whole name goes before a pattern, a longer pattern before a shorter one; what nobody names is "
        + "reached by the profile default."),
    Setting(
      "tls.client.*.allow_wildcards", .boolean, default: .written("no"), reload: .live,
      "Whether a certificate for *.example.test is good for the hosts of that domain, which RFC 5922 forbids."),
    Setting(
      "tls.client.*.require_certificate", .boolean, default: .written("no"), reload: .live,
      formerNames: ["tls_require_certificate", "require_cert"], availability: .older,
      "An older setting without effect: servers always show a certificate."),
    Setting(
      "tls.client.*.groups", .text(.any), default: .derived("X25519:P-256:P-384"), reload: .live,
      example: "P-256:P-384",
      "Groups for the key exchange, the preferred first, in the words of OpenSSL."),
    Setting(
      "tls.client.*.handshake_timeout", .duration(100...300_000), default: .derived("timeouts.handshake"),
      reload: .live,
      example: "5s", formerNames: ["tls_handshake_timeout"], "For the handshake of a connection of this profile."),
    Setting(
      "tls.client.*.send_timeout", .duration(100...300_000), default: .derived("timeouts.send"), reload: .live,
      example: "5s", formerNames: ["tls_send_timeout"],
      "Without any progress while something waits to be sent over a connection of this profile."),
    Setting(
      "tls.client.*.log_level", .choice(NodeConfiguration.Log.Level.allCases.map(\.rawValue)),
      default: .written("info"),
      reload: .live, formerNames: ["tls_log"],
      "The level at which lines tell of new connections of this profile: with debug they are left out while log.level is info, with "
        + "warning they are written even while that is warning."),
    Setting(
      "tls.client.*.crl", .files, default: .written("[]"), reload: .live, example: "[crls]", formerNames: ["crl_file"],
      "Lists of revoked certificates, in PEM or DER: files, and directories with nothing else in them. They are watched: a "
        + "file that changes is checked and holds within seconds, for connections that are open too; one that can't be "
        + "used leaves the old in force. The certificate of a server needs a list of its issuer."),
    Setting(
      "tls.client.*.crl_check", .choice(RevocationProfile.Depth.allCases.map(\.rawValue)), default: .written("chain"),
      reload: .live,
      "Which certificates are looked up. leaf: that of the server. chain: those of its authorities too, where there is a "
        + "list of who issued them."),
    Setting(
      "tls.client.*.crl_expired", .choice(RevocationProfile.Expiry.allCases.map(\.rawValue)),
      default: .written("reject"),
      reload: .live,
      "What a list does whose next one is overdue. reject: nobody is accepted by it. warn: it goes on as if it were new. "
        + "Three days before, the log begins to tell of it."),
    Setting(
      "tls.client.*.ocsp", .choice(RevocationProfile.OCSPMode.allCases.map(\.rawValue)), default: .written("off"),
      reload: .live,
      "Whether the OCSP responder that the certificate of a server names is asked about it, before anything is read from the "
        + "server. soft: who can't be found out about comes in, with a line in the log. hard: it doesn't. Answers are kept until "
        + "the next is due."),
    Setting(
      "tls.client.*.ocsp_responder", .text(.any), default: .derived("what the certificate names"), reload: .live,
      example: "http://ocsp.example.test/", "The responder to ask whatever the certificate names."),
    Setting(
      "tls.client.*.ocsp_timeout", .duration(100...30_000), default: .written("3s"), reload: .live,
      "How long an answer is waited for, within timeouts.handshake."),
    Setting(
      "tls.client.*.ocsp_recheck", .duration(1_000...604_800_000, zero: "never"), default: .written("0"), reload: .live,
      "How often it is asked again about each server that is connected. Whoever is revoked meanwhile is disconnected."),
    Setting(
      "tls.detach", .choice(NodeConfiguration.DetachMode.allCases.map(\.rawValue)), default: .written("auto"),
      reload: .newWorkers,
      "Whether established TLS connections leave OpenSSL's objects, which saves memory and lets them move to another "
        + "process. auto: where the cipher suite permits it. off: never."),
    Setting(
      "tls.key_log", .path, reload: .live, example: "secrets/keys.log",
      "A file to which the secrets of all TLS connections are written, so that Wireshark can decrypt a recording of "
        + "them (Preferences, Protocols, TLS, (Pre)-Master-Secret log filename). For the search of a fault only: "
        + "whoever has the file can read everything. It stands in a directory of mode 0700 and is of mode 0600, both of the "
        + "user as whom the workers run; anything else is refused."),
  ]

  private static let registration: [Setting] = [
    Setting(
      "registrar.default_expires", .seconds(60...2_592_000), default: .written("3600"), reload: .live,
      "How long a contact is registered that asks for no time."),
    Setting(
      "registrar.min_expires", .seconds(1...86_400), default: .written("60"), reload: .live,
      "A client that asks for less is told to ask for this (423, RFC 3261 §10.2.8)."),
    Setting(
      "registrar.max_expires", .seconds(60...2_592_000, zero: "no limit"), default: .written("86400"), reload: .live,
      "A client that asks for more gets this."),
    Setting(
      "registrar.max_contacts", .count(1...1_000), default: .written("10"), reload: .live,
      "How many contacts one address of record may have at a time."),
    Setting(
      "registrar.expires_spread", .count(0...50), default: .written("10"), reload: .live,
      "The percentage by which granted times are shortened at random, so that clients that came at once do not come "
        + "back at once."),
    Setting(
      "registrar.flow_timer", .seconds(20...3_600, zero: "clients are told nothing"), default: .written("120"),
      reload: .live,
      "How often clients are told to send a keep-alive over the TLS or TCP connection that they register over by RFC "
        + "5626 (Flow-Timer). A connection that stays silent for longer, and some grace, counts as dead."),
    Setting(
      "registrar.flow_grace", .seconds(1...3_600), default: .written("30"), reload: .live,
      "How much longer than the time in Flow-Timer a client's connection may be silent before it is closed "
        + "(RFC 5626 §5.4)."),
    Setting(
      "registrar.service_route", .boolean, default: .written("yes"), reload: .live,
      "Whether clients are told at registration to send their requests by way of this cluster (Service-Route, RFC "
        + "3608): cluster.name with the port and transport that they registered over."),
    Setting(
      "registrar.contacts", .items(short: "address"), reload: .newWorkers,
      example: "[{ address: \"sip:100@example.test\", contact: \"sip:100@192.0.2.7\" }]",
      "Contacts of gateways and others that do not register: a list of maps with the settings below. They are reached "
        + "like registered ones, beside those, and may be several for one address."),
    Setting(
      "registrar.contacts[].address", .text(.uri), default: .required, reload: .newWorkers,
      example: "\"sip:100@example.test\"",
      "The address that is called: a user of one of the domains."),
    Setting(
      "registrar.contacts[].contact", .text(.uri), default: .required, reload: .newWorkers,
      example: "\"sip:100@192.0.2.7:5060;transport=tcp\"",
      "Where its calls go."),
    Setting(
      "registrar.contacts[].q", .text(.preference), default: .written("1"), reload: .newWorkers,
      "The preference among the contacts of the address, 1 the highest: higher ones are tried first, equal ones at "
        + "once."),
    Setting(
      "authentication.required", .boolean, default: .written("yes"), reload: .live,
      "Whether requests that claim to be from one of our domains must prove it by digest (RFC 3261 §22). Without it "
        + "everyone who reaches a listener can be anyone."),
    Setting(
      "authentication.users", .file, reload: .live, sample: "users.yaml",
      "The users file; `apus user add` writes it. Or `redis`: the users are kept in Redis, where a changed password "
        + "counts within seconds (`apus user export` writes them there; a file of this name is ./redis). Each user needs "
        + "a hash for every algorithm that is offered. While Redis is away, users that a worker has seen within an hour "
        + "go on, others get 500 with Retry-After."),
    Setting(
      "authentication.algorithms", .list(.algorithm), default: .written("[MD5, SHA-256]"), reload: .live,
      "The digest algorithms offered, best first (RFC 8760 §2.4). A user is offered those of them for which the users "
        + "file has a hash. Some phones fail when several are offered, or with any but MD5."),
    Setting(
      "authentication.nonce_lifetime", .duration(10_000...86_400_000), default: .written("300s"), reload: .newWorkers,
      "How long a nonce is good. Then the client is told that it is stale and goes on with a new one, without asking "
        + "its user."),
  ]

  private static let trust: [Setting] = [
    Setting(
      "identity.trusted", .list(.network), default: .written("[]"), reload: .live, example: "[192.0.2.0/24]",
      "Addresses and networks of gateways and proxies that belong to our trust domain (RFC 3324 §2.3): they are not "
        + "challenged, except for REGISTER, and what they say of their callers' identity is believed and passed on. They "
        + "reach our own users; calls to elsewhere only from an address or a P-Asserted-Identity of our domains. An "
        + "address can be forged over UDP: list only networks into which nobody else can send."),
    Setting(
      "identity.assert", .boolean, default: .written("yes"), reload: .live,
      "Whether requests of users who proved who they are carry P-Asserted-Identity (RFC 3325 §5): to peers that are "
        + "trusted, and to users as identity.to_users says."),
    Setting(
      "identity.to_users", .boolean, default: .written("yes"), reload: .live,
      "Whether our registered users are told the asserted identity of others who did not ask for privacy (RFC 3325 §7). "
        + "Others that aren't trusted are told only what comes with `Privacy: none`."),
    Setting(
      "identity.strip", .list(.headerField), default: .written("[]"), reload: .live, example: "[X-Account]",
      "Header fields removed from what those send who aren't trusted, beside P-Asserted-Identity, P-Asserted-Service, "
        + "Remote-Party-ID and all that begin with X-Apus-."),
    Setting(
      "identity.certificates", .items(short: "match"), reload: .live,
      example: "[\"uri:sip:*@example.test\", { match: \"dns:gateway.example.test\", proves: trusted }]",
      "Whom TLS certificates prove: a list of maps with the settings below, or of texts for match alone. Who is proved "
        + "so needs no digest. Only certificates count that were verified, so clients must be asked for one "
        + "(verify_client), and the authorities in ca_list decide what may stand in them. All entries that match count. "
        + "A request that claims to be from somebody else is challenged as ever: digest and certificate add up, and "
        + "where the certificate proves what a request claims, credentials in it are not looked at."),
    Setting(
      "identity.certificates[].match", .text(.certificateMatch), default: .required, reload: .live,
      example: "\"uri:sip:*@example.test\"",
      "Which certificates. uri: and dns: mean the names in subjectAltName, cn: the last common name of the subject, "
        + "sha256: the fingerprint of the whole certificate in hexadecimal. `*` stands for one character or more, in the name of a "
        + "host within one label. A SIP URI that has more than scheme, user and host matches nothing, and neither does a "
        + "name that has a star itself."),
    Setting(
      "identity.certificates[].proves", .text(.certificateProof), default: .written("user"), reload: .live,
      "Whom they prove. user: the user whom the name that matched names, by a SIP URI or, in a common name, as "
        + "user@domain. domain: every user of the domain that the name names. sip:alice@example.test: this user. "
        + "sip:example.test: every user of this domain, for REGISTER too. trusted: a peer as in identity.trusted, which "
        + "is challenged for REGISTER. Users and domains that are not of this node are nobody."),
  ]

  private static let reaching: [Setting] = [
    Setting(
      "keepalive.udp_interval", .seconds(5...3_600, zero: "never"), default: .written("30"), reload: .live,
      "How often something is sent to UDP clients, so that their NAT lets requests through. Many NATs forget after 30 "
        + "seconds. Clients that send keep-alives themselves, also STUN, are answered in any case."),
    Setting(
      "keepalive.udp_clients", .choice(NodeConfiguration.KeepAlive.Clients.allCases.map(\.rawValue)),
      default: .written("nat"), reload: .live,
      "Which UDP clients. nat: those that name another address in Via than they come from. all: every one."),
    Setting(
      "keepalive.method", .choice(NodeConfiguration.KeepAlive.Method.allCases.map(\.rawValue)),
      default: .written("options"), reload: .live,
      "What is sent. options: an OPTIONS request; any answer to it shows that the client lives. crlf: two line breaks, "
        + "which cost less and are not answered."),
    Setting(
      "keepalive.remove_after", .count(0...100), default: .written("0"), reload: .live,
      "After how many keep-alives in a row without an answer (for crlf: with an ICMP error) a contact is removed. 0: "
        + "never; it then ends with its registration."),
  ]

  private static let forwarding: [Setting] = [
    Setting(
      "proxy.timer_t1", .duration(100...5_000), default: .written("500ms"), reload: .newWorkers,
      "T1: the estimate of a round trip, from which retransmissions and time-outs follow (RFC 3261 §17.1.1.1)."),
    Setting(
      "proxy.timer_t2", .duration(500...60_000), default: .written("4s"), reload: .newWorkers,
      "T2: the longest interval between retransmissions of requests other than INVITE and of final responses."),
    Setting(
      "proxy.timer_t4", .duration(500...60_000), default: .written("5s"), reload: .newWorkers,
      "T4: how long a message may stay in the network."),
    Setting(
      "proxy.timer_c", .duration(10_000...3_600_000), default: .written("181s"), reload: .live,
      "Timer C: how long a call may ring without a further answer before it is given up. RFC 3261 §16.6 wants more "
        + "than three minutes."),
    Setting(
      "proxy.max_branches", .count(1...64), default: .written("16"), reload: .live,
      "How many contacts one request is forwarded to at most."),
    Setting(
      "proxy.max_breadth", .count(1...255), default: .written("60"), reload: .live,
      "How many branches one request may have at once, here and at the proxies behind: Max-Breadth of requests that "
        + "come with more or without (RFC 5393 §5.3.3)."),
    Setting(
      "proxy.udp_size", .size(0...65_535), default: .written("1300"), reload: .live,
      "Bytes of a request that goes to a UDP address at most. A longer one goes there by TCP, and by UDP only where "
        + "no connection can be had (RFC 3261 §18.1.1). 0: none goes by TCP for its size."),
    Setting(
      "proxy.redirects", .choice(NodeConfiguration.Redirects.allCases.map(\.rawValue)), default: .written("pass"),
      reload: .live,
      "What becomes of a 3xx. pass: the caller gets it. follow: the contacts in it become targets, if all of them can be "
        + "reached; those in our domains are looked up (RFC 3261 §16.7)."),
    Setting(
      "proxy.record_route", .boolean, default: .written("yes"), reload: .live,
      "Whether the node stays in the path of dialogs. Clients that are reachable only over their own connection need "
        + "it."),
    Setting(
      "proxy.max_forwards", .count(1...255), default: .written("70"), reload: .live,
      "Max-Forwards for requests that come without (RFC 3261 §16.6)."),
    Setting(
      "routes", .rules, default: .written("[]"), reload: .live, availability: .refusedYet,
      "Rules for requests, of which the first that matches decides. This version takes no rule."),
  ]

  private static let bounds: [Setting] = [
    Setting(
      "limits.connections", .count(1...10_000_000), default: .written("100000"), reload: .live,
      "Stream connections of the node, all workers together. Further ones are closed at once."),
    Setting(
      "limits.connections_per_address", .count(1...10_000_000), default: .written("1024"), reload: .live,
      "Stream connections of the node from one address, all workers together; an IPv6 address counts with its /64."),
    Setting(
      "limits.handshakes", .count(1...100_000), default: .written("512"), reload: .live,
      "TLS handshakes under way in one worker."),
    Setting(
      "limits.handshakes_per_address", .count(1...100_000), default: .written("64"), reload: .live,
      "TLS handshakes under way with one address, all workers of the node together."),
    Setting(
      "limits.message_size", .size(1_300...65_535), default: .written("65535"), reload: .newWorkers,
      "Bytes of one message. A longer one is answered with 513 and its connection is closed."),
    Setting(
      "limits.header_size", .size(1_024...65_535), default: .written("32k"), reload: .newWorkers,
      "Bytes of the start line and the header of one message."),
    Setting(
      "limits.header_fields", .count(16...1_024), default: .written("256"), reload: .newWorkers,
      "Header fields of one message."),
    Setting(
      "limits.output_queue", .size(65_536...1_073_741_824), default: .written("1m"), reload: .live,
      "Bytes that wait to be sent on one connection. Further messages for it are refused; timeouts.send closes a "
        + "connection that takes nothing at all."),
    Setting(
      "limits.transactions", .count(16...10_000_000), default: .written("200000"), reload: .live,
      "Server transactions of one worker at a time. Further requests are answered with 503."),
    Setting(
      "limits.bindings", .count(1...100_000_000), default: .written("1000000"), reload: .newWorkers,
      "Contacts registered at a time. Further ones are answered with 503."),
    Setting(
      "limits.location_cache", .size(0...1_073_741_824), default: .written("32m"), reload: .newWorkers,
      "Bytes of contacts that one worker keeps in mind after it looked them up in Redis, for 60 s at most: about 700 a user. "
        + "0: every lookup of another worker's user goes to Redis."),
  ]

  private static let waiting: [Setting] = [
    Setting(
      "timeouts.handshake", .duration(100...300_000), default: .written("10s"), reload: .live,
      "For the TLS handshake of a connection."),
    Setting(
      "timeouts.first_message", .duration(100...3_600_000), default: .written("30s"), reload: .live,
      "For the first whole message of an accepted connection."),
    Setting(
      "timeouts.message", .duration(100...3_600_000), default: .written("30s"), reload: .live,
      "For the rest of a message of which a part has come."),
    Setting(
      "timeouts.send", .duration(100...3_600_000), default: .written("10s"), reload: .live,
      "For bytes to leave a connection that has some to send."),
    Setting(
      "timeouts.connect", .duration(100...300_000), default: .written("10s"), reload: .live,
      "For a TCP connection that the node opens."),
    Setting(
      "timeouts.idle", .duration(1_000...604_800_000, zero: "never"), default: .written("3700s"), reload: .live,
      "After which a connection without any traffic is closed. It should outlast the clients' registrations."),
    Setting(
      "timeouts.tcp_user_timeout", .duration(1_000...3_600_000, zero: "left to the system"), default: .written("30s"),
      reload: .live,
      "How long sent bytes may stay unacknowledged before the system ends the connection (TCP_USER_TIMEOUT)."),
    Setting(
      "timeouts.unacknowledged", .duration(500...60_000, zero: "never"), default: .written("3s"), reload: .live,
      "How long sent bytes may stay unacknowledged before the peer counts as gone for the moment: requests to it "
        + "without any answer fail, and the next connection of the same client is tried. The connection stays open."),
    Setting(
      "timeouts.tcp_keepalive", .duration(1_000...7_200_000, zero: "never"), default: .written("60s"), reload: .live,
      "After how much silence the system probes whether the peer is still there."),
  ]

  private static let operation: [Setting] = [
    Setting(
      "log.level", .choice(NodeConfiguration.Log.Level.allCases.map(\.rawValue)), default: .written("info"),
      reload: .live,
      "The least important lines that are written to standard error."),
    Setting(
      "admin.http", .text(.hostAndPort), reload: .restart, example: "\"127.0.0.1:9060\"",
      availability: .ignoredYet("this version has no administration over HTTP"),
      "Where metrics, health and the administration are served over HTTP."),
    Setting(
      "admin.control_socket", .path, default: .derived("control.sock in the state directory"), reload: .restart,
      example: "control.sock",
      "The Unix socket over which `apus ctl` talks to the supervisor; for the user that runs the supervisor alone."),
  ]
}
