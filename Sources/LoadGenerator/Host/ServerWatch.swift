import CLoadGenerator
import Structures

/// What a server's processes have used so far.
public struct ServerUsage: Sendable, Equatable {
  /// Processor time in nanoseconds, user and system, ended children included.
  public var processor: Int64 = 0
  /// Memory in bytes, shared pages divided among their users (PSS).
  public var memory: Int64 = 0
  /// How many processes there are.
  public var processes = 0

  /// Nothing used.
  public init() {}
}

/// Reads processor time and memory of process trees from /proc.
public struct ServerWatch: Sendable {
  private let roots: [Int32]

  /// Watches these processes and all their descendants.
  public init(_ roots: [Int32]) { self.roots = roots }

  /// What the trees have used up to now; nil when none of the roots is there.
  ///
  /// Reading the memory makes the kernel walk the page tables of each process, so it is done outside a measurement.
  public func usage(withMemory: Bool) -> ServerUsage? {
    var total = ServerUsage()
    for process in tree() {
      guard let ticks = Self.processorTicks(process) else { continue }
      total.processes += 1
      total.processor += ticks * 1_000_000_000 / cload_ticks_per_second()
      if withMemory { total.memory += Self.memory(process) ?? 0 }
    }
    return total.processes == 0 ? nil : total
  }

  private func tree() -> [Int32] {
    var (found, position) = (roots, 0)
    while position < found.count, found.count < 4_096 {
      for child in Self.children(found[position]) where !found.contains(child) { found.append(child) }
      position += 1
    }
    return found
  }

  private static func children(_ process: Int32) -> [Int32] {
    var children: [Int32] = []
    for thread in ProcessFiles.list("/proc/\(process)/task") {
      guard let text = ProcessFiles.read("/proc/\(process)/task/\(thread)/children") else { continue }
      children += text.split(separator: 0x20).compactMap { Int32(String(decoding: $0, as: UTF8.self)) }
    }
    return children
  }

  private static func processorTicks(_ process: Int32) -> Int64? {
    ProcessFiles.read("/proc/\(process)/stat").flatMap { processorTicks(stat: $0) }
  }

  /// utime, stime, cutime and cstime of a line of /proc/PID/stat: its fields 14 to 17. The name before may hold anything.
  static func processorTicks(stat text: [UInt8]) -> Int64? {
    guard let close = text.lastIndex(of: UInt8(ascii: ")")) else { return nil }
    let fields = text[(close + 1)...].split(whereSeparator: { $0 <= 0x20 })
    guard fields.count > 14 else { return nil }
    return fields[11...14].reduce(0) { $0 + (Int64(String(decoding: $1, as: UTF8.self)) ?? 0) }
  }

  private static func memory(_ process: Int32) -> Int64? {
    ProcessFiles.read("/proc/\(process)/smaps_rollup").flatMap { memory(rollup: $0) }
  }

  /// The line `Pss:` of /proc/PID/smaps_rollup, in bytes.
  static func memory(rollup text: [UInt8]) -> Int64? {
    for line in text.split(separator: 0x0A) where line.starts(with: Array("Pss:".utf8)) {
      let fields = line.split(separator: 0x20)
      guard fields.count > 1 else { return nil }
      return Int64(String(decoding: fields[1], as: UTF8.self)).map { $0 * 1_024 }
    }
    return nil
  }
}

/// Small files of the system.
enum ProcessFiles {
  static func read(_ path: String, limit: Int = 1 << 16) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: limit)
    let count = buffer.withUnsafeMutableBytes { cload_read_file(path, $0.baseAddress, $0.count) }
    if count < 0 { return nil }
    buffer.removeLast(limit - count)
    return buffer
  }

  static func list(_ path: String) -> [String] {
    final class Names { var all: [String] = [] }
    let names = Names()
    let context = Unmanaged.passUnretained(names).toOpaque()
    _ = cload_list(
      path,
      { context, name in
        guard let context, let name else { return }
        Unmanaged<Names>.fromOpaque(context).takeUnretainedValue().all.append(String(cString: name))
      }, context)
    return names.all
  }
}
