extension NodeConfiguration {
  /// Where the control socket is of a node whose settings say nothing of it.
  public static var standardControlSocket: String { controlSocket(in: .mapping([], .start), file: "/apus.yaml") }

  /// Where the control socket of a node is whose settings these are, right or wrong: `file` is where relative paths start.
  public static func controlSocket(in settings: SettingNode, file: String) -> String {
    var reader = SettingsReader(settings, file: file)
    return reader.controlSocket()
  }
}

extension SettingsReader {
  /// `admin.control_socket`, or where it is unless given.
  mutating func controlSocket() -> String {
    if let path = text(["admin", "control_socket"]) { return SettingsSources.resolve(path, from: file) }
    return SettingsSources.resolve(text(["state_directory"]) ?? "", from: file) + "/control.sock"
  }
}
