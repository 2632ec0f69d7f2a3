extension NodeConfiguration {
  /// The names that stand in messages, or that clients ask for, where this server profile is shown: a certificate has to
  /// speak for each. Of a profile that only server names select, these; patterns are left out, for they name nobody.
  public func names(ofServerProfile name: String) -> [String] {
    let listeners = listen.filter { $0.transport == .tls && $0.profile == name }
    guard !listeners.isEmpty else { return (tlsServer[name]?.serverNames ?? []).filter { !$0.hasPrefix("*.") } }
    let others = Set(tlsServer.filter { $0.key != name }.flatMap(\.value.serverNames))
    var names = [advertise, clusterName] + domains.map(\.name).filter { !others.contains($0) }
    names += listeners.compactMap { $0.advertise.flatMap { TextRule.readHostAndPort($0)?.host } }
    var seen: Set<String> = []
    return names.filter { seen.insert($0).inserted }
  }
}
