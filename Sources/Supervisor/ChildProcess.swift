internal import CLinux
internal import Reactor

/// Starting programs that end with this process.
enum ChildProcess {
  /// Starts an executable with descriptors at given numbers, as `owner` or as this process's user; it can gain no rights
  /// and is killed when this process ends. Returns the process id.
  static func spawn(
    _ executable: String, _ words: [String], _ map: [clinux_descriptor_map], as owner: ProcessOwner?,
    inNewSession: Bool = false
  ) throws(SystemError) -> Int32 {
    let all = ([executable] + words).map { Array($0.utf8CString) }
    // One block for all words, so that the pointers hold while the call lasts.
    var block: [CChar] = []
    var starts: [Int] = []
    for word in all {
      starts.append(block.count)
      block += word
    }
    var flags = clinux_spawn_dies_with_parent | clinux_spawn_no_new_privileges
    if inNewSession { flags |= clinux_spawn_new_session }
    let result: Int32 = block.withUnsafeMutableBufferPointer { words in
      var pointers: [UnsafeMutablePointer<CChar>?] = starts.map { words.baseAddress?.advanced(by: $0) }
      pointers.append(nil)
      guard var identity = owner?.identity else {
        return clinux_spawn(executable, pointers, nil, map, Int32(map.count), flags)
      }
      return clinux_spawn_as(&identity, executable, pointers, nil, map, Int32(map.count), flags)
    }
    if result < 0 { throw SystemError("exec of \(executable)", code: -result) }
    return result
  }

  /// How a process of ours ended; nil while it runs.
  static func reap(_ process: Int32) -> SupervisorMachine.WorkerEnd? {
    var end = clinux_exit()
    guard clinux_wait(process, false, &end) == 1 else { return nil }
    return end.signal != 0 ? .signalled(end.signal) : .exited(end.code)
  }
}
