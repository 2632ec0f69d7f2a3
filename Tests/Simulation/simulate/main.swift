import Glibc
import Simulation

/// `simulate FIRST COUNT` runs so many seeds, `simulate SEED` one with every message told.
let arguments = CommandLine.arguments.dropFirst().compactMap { UInt64($0) }
guard let first = arguments.first, arguments.count <= 2 else {
  print("usage: simulate SEED | simulate FIRST COUNT")
  exit(2)
}

if arguments.count == 1 {
  let run = Simulation(seed: first) { print($0) }
  print(run.complaints.isEmpty ? "all was well" : run.complaints.joined(separator: "\n"))
  exit(run.complaints.isEmpty ? 0 : 1)
}

var failed = 0
var seen: [String: Int] = [:]
for seed in first..<first + arguments[1] {
  let run = Simulation(seed: seed)
  seen.merge(run.seen) { $0 + $1 }
  guard !run.complaints.isEmpty else { continue }
  failed += 1
  if failed <= 20 { print("seed \(seed): \(run.complaints.joined(separator: "; "))") }
}
print(seen.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", "))
print("\(Int(arguments[1]) - failed) passed, \(failed) failed")
exit(failed == 0 ? 0 : 1)
