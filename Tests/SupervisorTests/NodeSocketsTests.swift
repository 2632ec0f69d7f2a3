import CLinux
import Configuration
import Glibc
import Reactor
import Structures
import Testing

@testable import Supervisor

@Suite("The sockets of a node")
struct NodeSocketsTests {
  @Test("all slots of a listener have the port that the system chose for the first", arguments: ["tcp", "udp"])
  func samePort(_ transport: String) throws {
    let address = try #require(SocketAddress("127.0.0.1:0"))
    let listener = NodeConfiguration.Listener(transport: transport == "tcp" ? .tcp : .udp, address: address)
    let sockets = try ListenerSockets([listener, listener], slots: 3)
    #expect(sockets.slots.map(\.count) == [2, 2, 2])
    #expect(Set(sockets.slots.joined()).count == 6)
    for slot in sockets.slots {
      for (number, expected) in zip(slot, sockets.addresses) { #expect(try Socket.localAddress(number) == expected) }
    }
    #expect(sockets.addresses[0] != sockets.addresses[1])
  }

  @Test("link listeners replace what a killed supervisor left, and are removed at the end; other files stay")
  func links() throws {
    var template = Array("/tmp/apus-test-XXXXXX".utf8CString)
    let path = String(cString: try #require(mkdtemp(&template)))
    defer {
      unlink("\(path)/links/note")
      rmdir("\(path)/links")
      rmdir(path)
    }
    mkdir("\(path)/links", 0o755)
    for name in ["0", "7", "note"] { try Files.write([1], to: "\(path)/links/\(name)") }
    do {
      let links = try LinkListeners(stateDirectory: path, slots: 2)
      #expect(links.numbers.count == 2)
      #expect(Files.exists("\(path)/links/0") && Files.exists("\(path)/links/1"))
      #expect(!Files.exists("\(path)/links/7"))
      var status = stat()
      #expect(stat(links.directory, &status) == 0)
      #expect(status.st_mode & 0o777 == 0o700)
    }
    #expect(!Files.exists("\(path)/links/0") && !Files.exists("\(path)/links/1"))
    #expect(Files.exists("\(path)/links/note"))
  }

  @Test("sockets stand also in a state directory whose name is longer than the address of a Unix socket")
  func longPath() throws {
    var template = Array("/tmp/apus-test-XXXXXX".utf8CString)
    let path = String(cString: try #require(mkdtemp(&template)))
    let long = path + "/" + String(repeating: "x", count: 120)
    defer {
      rmdir(long)
      rmdir(path)
    }
    do {
      let links = try LinkListeners(stateDirectory: long, slots: 1)
      let connection = clinux_unix_connect("\(links.directory)/0", clinux_seqpacket)
      #expect(connection >= 0)
      if connection >= 0 { clinux_close(connection) }
      #expect(clinux_unix_connect("\(links.directory)/1", clinux_seqpacket) == -ENOENT)
      #expect(clinux_unix_connect("\(long)/none/0", clinux_seqpacket) == -ENOENT)
    }
    #expect(!Files.exists("\(long)/links"))
  }
}
