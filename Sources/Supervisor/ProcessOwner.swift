internal import CLinux
public import Configuration
internal import Glibc

/// The user as whom workers and the private Redis run, where that is another than the supervisor's.
public struct ProcessOwner: Sendable {
  let identity: clinux_identity

  /// Finds the user of a configuration; nil when none is named or it is the one that runs this already.
  /// - Throws: There is no such user or group, or only root could become it.
  public static func find(_ configuration: NodeConfiguration) throws(SettingsSources.FileProblem) -> ProcessOwner? {
    guard let identity = try lookUp(configuration) else { return nil }
    let own = clinux_effective_user()
    if identity.user == own { return nil }
    guard own == 0 else {
      let user = configuration.user ?? ""
      throw .init(
        problem: "only root can run workers as \(user)",
        remedy: "start the node as root or as \(user), or drop the setting")
    }
    return ProcessOwner(identity: identity)
  }

  /// Looks whether the user and the group of a configuration exist.
  public static func check(_ configuration: NodeConfiguration) throws(SettingsSources.FileProblem) {
    _ = try lookUp(configuration)
  }

  private static func lookUp(
    _ configuration: NodeConfiguration
  ) throws(SettingsSources.FileProblem) -> clinux_identity? {
    guard let user = configuration.user else { return nil }
    var identity = clinux_identity()
    switch -clinux_find_identity(user, configuration.group, &identity) {
    case 0: break
    case ENOENT:
      throw .init(problem: "there is no user \(user)", remedy: "useradd --system --no-create-home \(user) makes one")
    case ESRCH:
      let group = configuration.group ?? ""
      throw .init(problem: "there is no group \(group)", remedy: "groupadd --system \(group) makes one")
    case let code: throw Files.problem(code)
    }
    return identity
  }

  /// Gives a file or directory to the user, a symbolic link itself.
  func own(_ path: String) throws(SettingsSources.FileProblem) {
    guard lchown(path, identity.user, identity.group) == 0 else { throw Files.problem(errno) }
  }

  /// Lets the user look things up in a directory of ours, which nobody but us can change.
  func admit(to directory: String) throws(SettingsSources.FileProblem) {
    guard lchown(directory, 0, identity.group) == 0, chmod(directory, 0o710) == 0 else { throw Files.problem(errno) }
  }

  /// The first directory on the way to `path` that the user may not pass; nil when there is none.
  func barrier(to path: String) -> String? {
    var directory = ""
    for part in Files.absolute(path).split(separator: "/") {
      directory += "/" + part
      var status = stat()
      guard stat(directory, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return nil }
      let shift: UInt32 =
        status.st_uid == identity.user ? 6 : isMember(of: status.st_gid) ? 3 : 0
      if status.st_mode >> shift & 1 == 0 { return directory }
    }
    return nil
  }

  private func isMember(of group: UInt32) -> Bool {
    if group == identity.group { return true }
    return withUnsafeBytes(of: identity.groups) { groups in
      groups.bindMemory(to: UInt32.self).prefix(Int(identity.group_count)).contains(group)
    }
  }
}
