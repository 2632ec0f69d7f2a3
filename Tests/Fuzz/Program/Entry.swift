import Glibc

// What libFuzzer calls. One program holds all targets; the environment names the one to run, since libFuzzer reads the command line.

/// A word that isn't the name of a target.
private let unnamed = "no target is named: run Tests/Fuzz/run"

private let target: FuzzTarget? = getenv("APUS_FUZZ_TARGET").flatMap { name in
  FuzzTarget.all.first { $0.name == String(cString: name) }
}

/// Runs one input; what isn't as it must be ends the process, so that libFuzzer keeps the input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let target else { fatalError(unnamed) }
  let octets = Array(UnsafeBufferPointer(start: start, count: count))
  do {
    try target.run(octets)
  } catch {
    fatalError("\(target.name): \(error)")
  }
  return 0
}
