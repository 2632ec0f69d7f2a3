import CLinux
import Glibc
import Reactor
import Structures
import Testing

@testable import Supervisor

/// A datagram socket as a service manager has it.
private final class Listener {
  private let descriptor: Int32
  private let path: String

  /// `@name` is an abstract name.
  init(_ name: String) throws {
    path = name
    descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = UInt16(AF_UNIX)
    var octets = Array(name.utf8)
    if octets.first == UInt8(ascii: "@") { octets[0] = 0 }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: octets) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + octets.count)
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
    }
    try #require(result == 0)
  }

  deinit {
    close(descriptor)
    unlink(path)
  }

  /// The datagram that came; nil when there is none.
  func next() -> String? {
    var buffer = [UInt8](repeating: 0, count: 4_096)
    let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
    return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
  }
}

@Suite("What the service manager is told")
struct ServiceManagerTests {
  private static func manager(
    _ socket: String?, watchdog: String? = nil, process: String? = nil
  ) -> ServiceManager {
    ServiceManager(socket: socket, watchdogMicroseconds: watchdog, watchdogProcess: process, process: 42)
  }

  @Test(
    "states go out in datagrams, to a path or to an abstract name", arguments: ["/tmp/apus-notify-", "@apus-notify-"])
  func states(_ prefix: String) throws {
    let name = prefix + "\(getpid())"
    let listener = try Listener(name)
    let manager = Self.manager(name)
    manager.ready("serves\nREADY=0")
    #expect(listener.next() == "READY=1\nSTATUS=serves READY=0")
    manager.reloading()
    let reload = try #require(listener.next()).split(separator: "\n")
    #expect(reload.first == "RELOADING=1")
    #expect(reload.contains { $0.hasPrefix("MONOTONIC_USEC=") && (Int($0.dropFirst(15)) ?? 0) > 0 })
    manager.status("well")
    #expect(listener.next() == "STATUS=well")
    manager.stopping()
    #expect(listener.next()?.hasPrefix("STOPPING=1\n") == true)
    #expect(listener.next() == nil)
  }

  @Test("a sign of life is given at once and twice in the time of the watchdog, if that is ours")
  func watchdog() throws {
    let name = "@apus-watchdog-\(getpid())"
    let listener = try Listener(name)
    let loop = try EventLoop()
    let manager = Self.manager(name, watchdog: "20000", process: "42")
    manager.watch(loop)
    #expect(listener.next() == "WATCHDOG=1")
    let start = System.monotonicNow
    var signs = 0
    while signs < 2, System.monotonicNow < start + .seconds(10) {
      try loop.runOnce(until: System.monotonicNow + .milliseconds(5))
      while listener.next() == "WATCHDOG=1" { signs += 1 }
    }
    #expect(signs == 2)
    #expect(System.monotonicNow >= start + .milliseconds(20))
    for other in [Self.manager(name), Self.manager(name, watchdog: "20000", process: "43")] { other.watch(loop) }
    Self.manager(name, watchdog: "-1").watch(loop)
    #expect(listener.next() == nil)
  }

  @Test("without a manager, or with one that is gone, nothing happens")
  func nobody() {
    for name in [nil, "", "relative", "/nowhere/at/all", "@nobody", "/" + String(repeating: "x", count: 200)] {
      Self.manager(name, watchdog: "1000").ready("serves")
    }
  }
}
