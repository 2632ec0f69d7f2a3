/// Other settings while it runs.
extension ServerCore {
  /// Serves by other settings and users from now on. What is under way goes on as it began. What they say of domains,
  /// listeners, hosts, limits of messages, T1, T2 and T4, the lifetime of nonces and the number of bindings must be as it was:
  /// that stands in messages and tables already.
  public func adopt(_ settings: ServerSettings, users: any UserDirectory) {
    self.settings = settings
    self.users = users
    userCache.offers = users
    authenticator.algorithms = settings.algorithms
  }
}
