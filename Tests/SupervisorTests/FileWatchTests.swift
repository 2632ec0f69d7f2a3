import Configuration
import Glibc
import Reactor
import Structures
import Testing

@testable import Supervisor

@Suite("Files that are watched")
struct FileWatchTests {
  /// A directory of a test's own, and the loop with the watch.
  private final class Bench {
    let directory: String
    let loop: EventLoop
    var told = 0
    /// Whether what is told is taken note of.
    var takesNote = true
    private(set) var watch: FileWatch?

    init() throws {
      var template = Array("/tmp/apus-watch-XXXXXX".utf8CString)
      directory = String(cString: try #require(mkdtemp(&template)))
      loop = try EventLoop()
      watch = FileWatch(loop: loop) { [unowned self] in
        told += 1
        return takesNote
      }
    }

    deinit {
      watch?.stop()
      for name in Files.names(in: directory) { unlink(directory + "/" + name) }
      rmdir(directory)
    }

    func write(_ text: String, _ name: String) throws { try Files.write(Array(text.utf8), to: directory + "/" + name) }

    /// Lets so many looks pass.
    func run(looks: Int) throws {
      let end = System.monotonicNow + FileWatch.interval * looks + .milliseconds(100)
      while System.monotonicNow < end { try loop.runOnce(until: end) }
    }
  }

  @Test("a file of a directory that changes, comes or goes is told of once; others are not looked at")
  func directory() throws {
    let bench = try Bench()
    try bench.write("one", "a.crl")
    bench.watch?.watch([bench.directory])
    try bench.run(looks: 2)
    #expect(bench.told == 0)
    try bench.write("two", "a.crl")
    try bench.run(looks: 3)
    #expect(bench.told == 1)
    try bench.write("three", "b.crl")
    try bench.write("hidden", ".new")
    try bench.run(looks: 3)
    #expect(bench.told == 2)
    unlink(bench.directory + "/b.crl")
    try bench.run(looks: 3)
    #expect(bench.told == 3)
    try bench.write("still hidden", ".new")
    try bench.run(looks: 3)
    #expect(bench.told == 3)
  }

  @Test("is told of again as long as nobody takes note")
  func later() throws {
    let bench = try Bench()
    let path = bench.directory + "/a.crl"
    bench.watch?.watch([path])
    bench.takesNote = false
    try bench.write("one", "a.crl")
    try bench.run(looks: 4)
    #expect(bench.told >= 2)
    bench.takesNote = true
    try bench.run(looks: 2)
    let told = bench.told
    try bench.run(looks: 2)
    #expect(bench.told == told)
  }
}
