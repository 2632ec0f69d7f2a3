/// What a reload of the configuration does with a changed setting.
public enum ReloadEffect: String, Sendable, CaseIterable {
  /// Running workers take it over.
  case live
  /// Workers started from then on have it; a roll makes them all new.
  case newWorkers
  /// It waits for a restart of the supervisor.
  case restart
}

/// One entry of ``SettingsTable``: everything there is to say about a setting.
public struct Setting: Sendable {
  /// The path in the file with dots; `*` stands for a name chosen by the user, `[]` for an item of a list.
  public let key: String
  /// What may be written there.
  public let type: SettingType
  /// What holds when nothing is written.
  public let standard: SettingDefault
  /// What a reload does with a change.
  public let reload: ReloadEffect
  /// One paragraph for the sample and the reference.
  public let text: String
  /// What the sample file sets it to; nil: the sample shows the default as a comment.
  public let sample: String?
  /// What the sample shows as a comment where there is no default.
  public let example: String?
  /// Names by which other programs call it; they are understood, with a note.
  public let formerNames: [String]
  /// Whether this version carries it out.
  public let availability: Availability

  /// Whether this version carries a setting out.
  public enum Availability: Sendable, Equatable {
    /// It does.
    case now
    /// It does, but there is a better way to say it, so the sample doesn't show it.
    case older
    /// It reads the setting and says that it does nothing yet; the text says what holds instead.
    case ignoredYet(String)
    /// It refuses anything but an empty list.
    case refusedYet
  }

  init(
    _ key: String, _ type: SettingType, default standard: SettingDefault = .absent, reload: ReloadEffect,
    sample: String? = nil, example: String? = nil, formerNames: [String] = [], availability: Availability = .now,
    _ text: String
  ) {
    self.key = key
    self.type = type
    self.standard = standard
    self.reload = reload
    self.sample = sample
    self.example = example
    self.formerNames = formerNames
    self.availability = availability
    self.text = text
  }

  /// The parts of the key: names, `*` and `[]`.
  var path: [String] {
    key.split(separator: ".").flatMap { part in
      part.hasSuffix("[]") ? [String(part.dropLast(2)), "[]"] : [String(part)]
    }
  }
}

/// What holds for a setting that is not in the file.
public enum SettingDefault: Sendable, Equatable {
  /// Nothing: the feature is off or the setting is not needed.
  case absent
  /// As if this had been written, in the words of the file.
  case written(String)
  /// Something found out at the start; the text says what.
  case derived(String)
  /// It must be given wherever the part of the file that holds it is given.
  case required
}

/// What may be written for a setting.
public enum SettingType: Sendable, Equatable {
  /// A text that follows a rule.
  case text(TextRule)
  /// A file that is read at the start; relative paths start at the directory of the settings file.
  case file
  /// Files and directories that are read at the start: a list, or a single one; relative as in `file`.
  case files
  /// A path that is not read at the start; relative as in `file`.
  case path
  /// yes, no, on, off, true or false.
  case boolean
  /// A whole number.
  case count(ClosedRange<Int>)
  /// A whole number or `auto`, which is read as 0.
  case countOrAuto(ClosedRange<Int>)
  /// A number of bytes, with `k` or `m` for 1,024 and 1,048,576 bytes.
  case size(ClosedRange<Int>)
  /// A time in whole seconds; `zero` says what 0 means where it is allowed beside the range.
  case seconds(ClosedRange<Int>, zero: String? = nil)
  /// A time in milliseconds or longer units; `zero` as in `seconds`. The range is in milliseconds.
  case duration(ClosedRange<Int>, zero: String? = nil)
  /// One of some words.
  case choice([String])
  /// A list of texts, or a single one.
  case list(TextRule)
  /// A list of names, or a map from names to settings of their own.
  case names(TextRule)
  /// A list whose items are texts (the setting named here of the item) or maps.
  case items(short: String)
  /// A text (the setting named here of the section), or a map with settings of their own.
  case either(short: String)
  /// A list that this version does not look into.
  case rules
}

/// What a text must look like.
public enum TextRule: Sendable, Equatable {
  /// Letters, digits, `.`, `_` and `-`, at most 64.
  case name
  /// A host name or an IP address, as it stands in a SIP URI.
  case host
  /// The same, with or without `:port`.
  case hostAndPort
  /// A host name.
  case domain
  /// `transport:address` or `transport:address:port`.
  case listener
  /// An IP address, or a network as `192.0.2.0/24`.
  case network
  /// The name of a header field that a message need not have, in small letters.
  case headerField
  /// MD5, SHA-256 or SHA-512-256.
  case algorithm
  /// TLSv1.2 or TLSv1.3.
  case tlsVersion
  /// A cipher list, which may be `NULL`.
  case ciphers
  /// A host, an address, or `*.` and a domain.
  case hostPattern
  /// Any printable text without `"` and `\`.
  case quotable
  /// A SIP or SIPS URI without password and header part.
  case uri
  /// A number from 0 to 1 with at most three digits behind the point.
  case preference
  /// `uri:`, `dns:`, `cn:` or `sha256:` and a name or pattern, as a ``CertificateRule/Match``.
  case certificateMatch
  /// `user`, `domain`, `trusted`, or a SIP URI.
  case certificateProof
  /// The address of a Redis server, as a ``RedisURL``.
  case redisURL
  /// Any text but an empty one.
  case any
}
