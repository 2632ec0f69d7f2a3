import Logging
import Structures
import Testing
import Transport

@testable import Worker

/// Keeps the lines that a logger writes.
private final class Lines {
  var texts: [String] = []
}

private struct Keeper: LogHandler, @unchecked Sendable {
  let lines: Lines
  var logLevel = Logger.Level.info
  var metadata: Logger.Metadata = [:]

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) { lines.texts.append(event.message.description) }
}

@Suite("Log lines for connections")
struct ConnectionLogTests {
  @Test("a flood of failed handshakes writes some lines, then how many were left out, then lines again")
  func flood() throws {
    let lines = Lines()
    let address = try #require(SocketAddress("127.0.0.1:5061"))
    var now = Instant(nanoseconds: 0)
    var log = ConnectionLog(Logger(label: "test") { _ in Keeper(lines: lines) }, start: now)
    for _ in 0..<10_000 { log.failed(address, address, true, .deadline, at: now) }
    #expect(lines.texts.count == LogAllowance.most)
    log.tellSuppressed()
    log.tellSuppressed()
    #expect(lines.texts.count == LogAllowance.most + 1)
    #expect(lines.texts.last?.hasPrefix("9800 ") == true)
    now = now + .seconds(1)
    for _ in 0..<100 { log.failed(address, address, true, .deadline, at: now) }
    #expect(lines.texts.count == LogAllowance.most + 51)
  }
}
