import Glibc
import SIPServer
import Structures
import Testing

@testable import RedisLocation

@Suite("The record of a worker's own bindings", .serialized)
struct OwnedMemoryTests {
  @Test("a phone's binding takes less than 900 octets in its worker")
  func memory() throws {
    let owned = OwnedBindings(now: Station.start, hashing: PlainHashing(seed: 1))
    let count = 50_000
    let before = Self.residentOctets()
    for number in 0..<count {
      let update = RedisLocationTests.phone(number, now: Station.start)
      guard case .done(let set, _) = update.applied(to: .empty) else { continue }
      owned.note(update, set)
    }
    let each = Double(Self.residentOctets() - before) / Double(count)
    #expect(owned.count == count && owned.recordCount == count)
    #expect(each < 900, "\(each) octets")
    print("octets of a worker's memory for each of its bindings: \(each)")
  }

  private static func residentOctets() -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 128)
    guard fgets(&line, 128, file) != nil else { return 0 }
    let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return text.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 4_096 } ?? 0
  }
}
