import Configuration
import Glibc
import Testing

@testable import Supervisor

/// A directory of its own for a test, removed at its end.
private final class Scratch {
  let path: String

  init() throws {
    var template = Array("/tmp/apus-test-XXXXXX".utf8CString)
    path = String(cString: try #require(mkdtemp(&template)))
  }

  deinit {
    for name in ["a/state/supervisor.lock", "a/state/cluster.secret", "a/state", "a", "file"] {
      remove("\(path)/\(name)")
    }
    rmdir(path)
  }
}

@Suite("The state directory and files")
struct StateDirectoryTests {
  @Test("a second supervisor is refused with the process id of the first, until that one is gone")
  func lock() throws {
    let scratch = try Scratch()
    let first = try StateDirectory(scratch.path + "/a/state")
    #expect(throws: StateDirectory.Problem.taken(process: Int(getpid()))) {
      try StateDirectory(scratch.path + "/a/state")
    }
    first.release()
    #expect(!Files.exists(scratch.path + "/a/state/supervisor.lock"))
    let second = try StateDirectory(scratch.path + "/a/state")
    second.release()
  }

  @Test("the secret is made once, for the owner's eyes only, and found again")
  func secret() throws {
    let scratch = try Scratch()
    let state = try StateDirectory(scratch.path + "/a/state")
    let secret = try state.clusterSecret()
    #expect(secret.count == 64)
    #expect(try state.clusterSecret() == secret)
    var status = stat()
    #expect(stat(scratch.path + "/a/state/cluster.secret", &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
    state.release()
  }

  @Test("a secret that is there but cannot be used is an error, and is not replaced")
  func damagedSecret() throws {
    let scratch = try Scratch()
    let state = try StateDirectory(scratch.path + "/a/state")
    let file = scratch.path + "/a/state/cluster.secret"
    try Files.write(Array("short".utf8), to: file)
    #expect(throws: StateDirectory.Problem.self) { try state.clusterSecret() }
    #expect(try Files.read(file).get() == Array("short".utf8))
    state.release()
  }

  @Test("a directory that cannot be made is reported with its path")
  func unusable() {
    #expect(throws: StateDirectory.Problem.self) { try StateDirectory("/proc/nothing/here") }
  }

  @Test("a file is written whole with the wanted rights, and read back")
  func writes() throws {
    let scratch = try Scratch()
    let path = scratch.path + "/file"
    let octets = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
    try Files.write(octets, to: path, mode: 0o640)
    try Files.write(octets + [1], to: path, mode: 0o600)
    #expect(try Files.read(path).get() == octets + [1])
    var status = stat()
    #expect(stat(path, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
  }

  @Test(
    "what cannot be read says why",
    arguments: [("/tmp", "it is a directory"), ("/nonexistent", "no such file or directory")])
  func unreadable(_ path: String, _ problem: String) {
    guard case .failure(let failure) = Files.read(path) else {
      Issue.record("\(path) was read")
      return
    }
    #expect(failure.problem == problem)
  }
}
