/// What a value that holds secrets looks like when somebody prints it: enough to tell it apart, nothing to steal.
extension NodeConfiguration: CustomStringConvertible, CustomReflectable {
  /// The node and its domains.
  public var description: String { "configuration of \(node) for \(domains.map(\.name).joined(separator: ", "))" }

  /// No children: `dump` shows no secret.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension ConfigurationBundle: CustomStringConvertible, CustomReflectable {
  /// The file and how many others came with it.
  public var description: String { "\(file) with \(files.count + documents.count) files" }

  /// No children: `dump` shows no secret.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension TLSServerProfile: CustomStringConvertible, CustomReflectable {
  /// That it is a profile.
  public var description: String { "TLS server profile" }

  /// No children: `dump` shows no key.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension TLSClientProfile: CustomStringConvertible, CustomReflectable {
  /// That it is a profile.
  public var description: String { "TLS client profile" }

  /// No children: `dump` shows no key.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension UserTable: CustomStringConvertible, CustomReflectable {
  /// How many there are.
  public var description: String { "\(count) users" }

  /// No children: `dump` shows no hash.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension UserTable.User: CustomStringConvertible, CustomReflectable {
  /// The realm.
  public var description: String { "user of \(realm)" }

  /// No children: `dump` shows no hash.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}
