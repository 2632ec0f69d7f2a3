import COpenSSL
import Glibc

/// A file that gets the secrets of TLS connections, in the format of NSS that Wireshark reads: whoever has it can decrypt what was recorded of
/// them. For the search of a fault only.
///
/// It stands in a directory that nobody but its owner can enter, and nobody else can read it: anything else is refused, not mended, since who has
/// read it before keeps what he read.
public final class KeyLog: Sendable {
  /// Where it is.
  public let path: String
  let descriptor: Int32

  /// Opens the file to write at its end, and makes it if it is missing. The error says what is wrong with it.
  public init(path: String) throws(TLSError) {
    self.path = path
    let slash = path.lastIndex(of: "/")
    let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    let place = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard place >= 0 else { throw Self.error(directory, Self.systemText) }
    defer { close(place) }
    try Self.check(place, directory, S_IFDIR)
    let number = openat(place, name, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o600)
    guard number >= 0 else { throw Self.error(path, Self.systemText) }
    do throws(TLSError) {
      try Self.check(number, path, S_IFREG)
    } catch {
      close(number)
      throw error
    }
    descriptor = number
  }

  deinit { close(descriptor) }

  private static func check(_ descriptor: Int32, _ path: String, _ kind: mode_t) throws(TLSError) {
    var facts = stat()
    guard fstat(descriptor, &facts) == 0 else { throw error(path, systemText) }
    guard facts.st_mode & S_IFMT == kind else { throw error(path, "is no plain file") }
    guard facts.st_uid == geteuid() else { throw error(path, "belongs to another user than this process runs as") }
    guard facts.st_mode & 0o077 == 0 else {
      let mode = kind == S_IFDIR ? "0700" : "0600"
      throw error(path, "can be used by others than its owner: chmod \(mode)")
    }
  }

  private static var systemText: String { String(cString: copenssl_system_text(errno)) }

  private static func error(_ path: String, _ text: String) -> TLSError {
    TLSError(.configuration, "key log: \(path) \(text)")
  }
}
