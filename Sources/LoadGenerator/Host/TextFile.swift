import CLoadGenerator
import Reactor
import Structures

/// Files that a person names.
public enum TextFile {
  /// The octets of a file of up to 64 MiB.
  public static func read(_ path: String) throws(LoadError) -> [UInt8] {
    var limit = 1 << 20
    while limit <= 1 << 26 {
      guard let octets = ProcessFiles.read(path, limit: limit) else {
        throw LoadError(problem: "cannot read \(path): is the name right, and may this user read it?")
      }
      if octets.count < limit { return octets }
      limit <<= 2
    }
    throw LoadError(problem: "\(path) is larger than 64 MiB")
  }

  /// Replaces a file.
  public static func write(_ octets: [UInt8], to path: String) throws(LoadError) {
    let result = octets.withUnsafeBytes { cload_write_file(path, $0.baseAddress, $0.count) }
    if result < 0 { throw LoadError(problem: "cannot write \(path): \(SystemError("write", code: -result).text)") }
  }

  /// Writes to standard error.
  public static func complain(_ text: String) { System.writeStandardError(Array(text.utf8).span) }
}
