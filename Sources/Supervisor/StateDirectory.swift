public import Configuration
internal import Glibc
internal import Reactor

/// The directory of one node: held by a lock as long as its supervisor lives.
///
/// `supervisor.lock` holds the process id; `cluster.secret` the secret of a node whose file names none.
public final class StateDirectory {
  /// Why the directory cannot be used.
  public enum Problem: Error, Equatable {
    /// Another supervisor has it; its process id where that could be read.
    case taken(process: Int?)
    /// It can't be made, read or written.
    case unusable(path: String, SettingsSources.FileProblem)
  }

  /// The directory.
  let path: String
  private let lockPath: String
  /// The open lock file.
  let lock: Int32

  /// Makes the directory where it is missing and takes its lock.
  public init(_ path: String) throws(Problem) {
    self.path = path
    lockPath = path + "/supervisor.lock"
    do throws(SettingsSources.FileProblem) { try Files.makeDirectory(path) } catch {
      throw .unusable(path: path, error)
    }
    lock = try Self.takeLock(lockPath)
    let line = Array("\(getpid())\n".utf8)
    guard ftruncate(lock, 0) == 0, pwrite(lock, line, line.count, 0) == line.count else {
      throw .unusable(path: lockPath, Files.problem(errno))
    }
  }

  /// The directory whose lock the program before held.
  init(inheriting lock: Int32, _ path: String) {
    self.path = path
    lockPath = path + "/supervisor.lock"
    self.lock = lock
  }

  /// Takes the directory and the secret from whoever had them, and lets the owner of our processes look up its sockets.
  func admit(_ owner: ProcessOwner) throws(Problem) {
    let secret = path + "/cluster.secret"
    do throws(SettingsSources.FileProblem) {
      try owner.admit(to: path)
      if Files.exists(secret), lchown(secret, geteuid(), getegid()) != 0 { throw Files.problem(errno) }
    } catch { throw .unusable(path: path, error) }
    guard let barrier = owner.barrier(to: path) else { return }
    let remedy = "chmod o+x \(barrier), or choose another state_directory"
    throw .unusable(path: path, .init(problem: "the user of the workers may not pass \(barrier)", remedy: remedy))
  }

  /// Removes what was made for this run and gives the lock back.
  public func release() {
    unlink(lockPath)
    close(lock)
  }

  /// The secret kept here, made at the first call: 64 hexadecimal digits.
  public func clusterSecret() throws(Problem) -> [UInt8] {
    let file = path + "/cluster.secret"
    // Never replaced: dialogs and nonces that it signed would all be lost.
    if Files.exists(file) {
      switch Files.read(file) {
      case .success(let octets) where octets.count >= 32: return octets.last == 0x0A ? octets.dropLast() : octets
      case .success:
        throw .unusable(
          path: file, .init(problem: "the secret has less than 32 octets", remedy: "restore it, or remove the file"))
      case .failure(let problem): throw .unusable(path: file, problem)
      }
    }
    do {
      var random = [UInt8](repeating: 0, count: 32)
      try System.fillRandom(&random)
      var text: [UInt8] = []
      for octet in random {
        text += Array(String(octet >> 4, radix: 16).utf8) + Array(String(octet & 15, radix: 16).utf8)
      }
      try Files.write(text + [0x0A], to: file)
      return text
    } catch let problem as SettingsSources.FileProblem {
      throw .unusable(path: file, problem)
    } catch {
      throw .unusable(path: file, .init(problem: "\(error)", remedy: ""))
    }
  }

  /// An open descriptor of the lock file with the lock; repeated when the file was removed by its last owner meanwhile.
  private static func takeLock(_ path: String) throws(Problem) -> Int32 {
    for _ in 0..<10 {
      let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else { throw .unusable(path: path, Files.problem(errno)) }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        let code = errno
        defer { close(descriptor) }
        if code != EWOULDBLOCK { throw .unusable(path: path, Files.problem(code)) }
        var text = [UInt8](repeating: 0, count: 16)
        let count = pread(descriptor, &text, text.count, 0)
        let digits = String(decoding: text[..<max(0, count)], as: UTF8.self).prefix { $0.isNumber }
        throw .taken(process: Int(digits))
      }
      var (held, named) = (stat(), stat())
      if fstat(descriptor, &held) == 0, stat(path, &named) == 0, held.st_ino == named.st_ino { return descriptor }
      close(descriptor)
    }
    throw .taken(process: nil)
  }
}
