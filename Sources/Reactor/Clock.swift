import CLinux
import Structures

/// The clocks and the random source of the system. Pure modules never see these: they are handed the values.
public enum System {
  /// CLOCK_MONOTONIC.
  public static var monotonicNow: Instant { Instant(nanoseconds: clinux_monotonic()) }

  /// Whole seconds since 1970-01-01T00:00:00Z; moves when an administrator sets the clock.
  public static var wallSeconds: Int64 { clinux_wall() / 1_000_000_000 }

  /// Milliseconds since 1970-01-01T00:00:00Z; moves when an administrator sets the clock.
  public static var wallMilliseconds: Int64 { clinux_wall() / 1_000_000 }

  /// Gives memory of the heap that nobody uses back to the system; takes some tenths of a millisecond.
  public static func returnFreeMemory() { clinux_trim_heap() }

  /// Overwrites the buffer with octets from the kernel's generator (getrandom). Throws only where seccomp forbids the call.
  public static func fillRandom(_ buffer: inout [UInt8]) throws(SystemError) {
    let result = buffer.withUnsafeMutableBytes { clinux_random($0.baseAddress, $0.count) }
    try SystemError.check("getrandom", result)
  }

  /// 64 bits from the kernel's generator.
  public static func random64() throws(SystemError) -> UInt64 {
    var word: UInt64 = 0
    try SystemError.check("getrandom", clinux_random(&word, MemoryLayout<UInt64>.size))
    return word
  }

  /// Writing to a socket whose peer is gone becomes an error instead of the end of the process.
  public static func ignoreBrokenPipes() { clinux_ignore_sigpipe() }

  /// Raises the soft limit of descriptors to the hard one; returns the limit now in force.
  @discardableResult
  public static func raiseDescriptorLimit() throws(SystemError) -> Int {
    let limit = clinux_raise_descriptor_limit()
    if limit < 0 { throw SystemError("setrlimit", code: Int32(-limit)) }
    return Int(limit)
  }

  /// The id of this process.
  public static var processID: Int32 { clinux_process_id() }

  /// How many processors this process may run on; at least 1.
  public static var processorCount: Int { Int(clinux_processor_count()) }

  /// Writes octets to standard error, all of them unless it is closed or its reader has stopped reading for 100 ms.
  public static func writeStandardError(_ octets: Span<UInt8>) {
    octets.withUnsafeBufferPointer { clinux_write_standard_error($0.baseAddress, $0.count) }
  }
}
