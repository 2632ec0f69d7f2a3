internal import Glibc

/// What /proc tells of a process.
struct ProcessFacts: Equatable {
  /// Memory in KiB, pages that are shared with others counted whole; nil when the system doesn't tell.
  var residentKiB: Int?
  /// Memory in KiB, pages that are shared with others counted by their share; nil when the system doesn't tell us: of a process of another user,
  /// or one that can't be traced, only root may know.
  var proportionalKiB: Int?
  /// Processor time used so far, in milliseconds; nil when the system doesn't tell.
  var processorMilliseconds: Int?

  /// Reads them.
  init(process: Int32) {
    let pageKiB = max(1, sysconf(Int32(_SC_PAGESIZE)) / 1_024)
    let ticks = max(1, sysconf(Int32(_SC_CLK_TCK)))
    residentKiB = Self.text("/proc/\(process)/statm").flatMap(Self.residentPages).map { $0 * pageKiB }
    proportionalKiB = Self.text("/proc/\(process)/smaps_rollup").flatMap(Self.proportional)
    processorMilliseconds = Self.text("/proc/\(process)/stat").flatMap(Self.ticks).map { $0 * 1_000 / ticks }
  }

  static func residentPages(_ statm: String) -> Int? {
    let words = statm.split(separator: " ")
    return words.count > 1 ? Int(words[1]) : nil
  }

  static func proportional(_ rollup: String) -> Int? {
    for line in rollup.split(separator: "\n") where line.hasPrefix("Pss:") {
      return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }
    }
    return nil
  }

  /// User and system time in clock ticks: fields 14 and 15; the name, field 2, may hold anything but ends with the last parenthesis.
  static func ticks(_ stat: String) -> Int? {
    guard let end = stat.lastIndex(of: ")") else { return nil }
    let words = stat[end...].split(separator: " ")
    guard words.count > 13, let user = Int(words[12]), let system = Int(words[13]) else { return nil }
    return user + system
  }

  private static func text(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 4_096)
    let count = read(descriptor, &buffer, buffer.count)
    return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
  }
}
