internal import CLinux
internal import Configuration
internal import Glibc
internal import Reactor

/// The listening Unix sockets for links between the workers of a node, one for each slot: `links/<slot>` in the state
/// directory. Held for the supervisor's life, so that a worker can be connected to while its slot is between two
/// processes. Made and removed under the lock of the state directory.
final class LinkListeners {
  /// The directory of the sockets.
  let directory: String
  /// The descriptor of each slot.
  private(set) var numbers: [Int32]

  /// Connections that may wait to be accepted by one slot: more than there are workers.
  private static let backlog: Int32 = 512

  /// Makes the directory and the sockets; what a supervisor that was killed left there is removed first.
  /// Only `owner`, or else our own user, can connect to them.
  init(stateDirectory: String, slots: Int, owner: ProcessOwner? = nil) throws(StateDirectory.Problem) {
    directory = stateDirectory + "/links"
    do throws(SettingsSources.FileProblem) {
      try Files.makeDirectory(directory)
      chmod(directory, 0o700)
      try owner?.admit(to: directory)
    } catch { throw .unusable(path: directory, error) }
    Self.removeSockets(in: directory)
    var numbers: [Int32] = []
    for slot in 0..<slots {
      let path = "\(directory)/\(slot)"
      let result = clinux_unix_listen(path, clinux_seqpacket, 0o600, Self.backlog)
      guard result >= 0 else {
        for number in numbers { clinux_close(number) }
        Self.removeSockets(in: directory)
        throw .unusable(path: path, Files.problem(-result))
      }
      numbers.append(result)
      do throws(SettingsSources.FileProblem) { try owner?.own(path) } catch { throw .unusable(path: path, error) }
    }
    self.numbers = numbers
  }

  /// Those that the program before held.
  init(inheriting numbers: [Int32], stateDirectory: String) {
    directory = stateDirectory + "/links"
    self.numbers = numbers
  }

  deinit { remove() }

  /// Closes and removes the sockets and their directory.
  func remove() {
    guard !numbers.isEmpty else { return }
    for number in numbers { clinux_close(number) }
    numbers = []
    Self.removeSockets(in: directory)
    rmdir(directory)
  }

  /// Removes the sockets whose name is the number of a slot; nothing else is ours.
  private static func removeSockets(in directory: String) {
    for slot in 0...Int(UInt8.max) { unlink("\(directory)/\(slot)") }
  }
}
