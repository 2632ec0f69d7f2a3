import Foundation

/// The checked-out repository as the house tests see it.
enum Repository {
  /// The folder that holds `Package.swift`.
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// One file: its path from the root and its text.
  struct File: Sendable {
    let path: String
    let text: String
    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    var name: String { String(path.split(separator: "/").last ?? "") }
    /// `Reactor` for `Sources/Reactor/Poller.swift`.
    var target: String { String(path.split(separator: "/").dropFirst().first ?? "") }
  }

  /// The text of the file at `path`, or nil where there is none.
  static func text(_ path: String) -> String? {
    try? String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  /// Names in a folder, dotfiles included.
  static func names(in folder: String) -> [String] {
    let path = folder.isEmpty ? root : root.appending(path: folder)
    return ((try? FileManager.default.contentsOfDirectory(atPath: path.path)) ?? []).sorted()
  }

  static func isFolder(_ path: String) -> Bool {
    var folder: ObjCBool = false
    return FileManager.default.fileExists(atPath: root.appending(path: path).path, isDirectory: &folder)
      && folder.boolValue
  }

  /// Every file below `folder` that reads as UTF-8 and whose name `isWanted`, except what tools leave behind and inputs of fuzz targets.
  static func files(below folder: String, where isWanted: (String) -> Bool) -> [File] {
    var files: [File] = []
    let unread = ["__pycache__", ".build", ".swiftpm", "local", "Corpus", "Findings"]
    for name in names(in: folder) where !unread.contains(name) {
      let path = folder + "/" + name
      if isFolder(path) {
        files += Self.files(below: path, where: isWanted)
      } else if isWanted(name), let text = text(path) {
        files.append(File(path: path, text: text))
      }
    }
    return files
  }

  /// What people write by hand: code, scripts and manuals, but no message fixtures.
  static func isWritten(_ name: String) -> Bool {
    !name.contains(".")
      || [".swift", ".c", ".h", ".md", ".py", ".sh", ".xml", ".cfg", ".yaml"].contains { name.hasSuffix($0) }
  }
}
