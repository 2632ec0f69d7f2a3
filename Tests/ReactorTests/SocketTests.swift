import CLinux
import Glibc
import Structures
import Testing

@testable import Reactor

private func loopback(_ text: String) throws -> SocketAddress {
  try #require(SocketAddress(text))
}

/// Waits until `condition` holds, at most five seconds.
private func eventually(_ condition: () -> Bool) -> Bool {
  let limit = System.monotonicNow + .seconds(5)
  while System.monotonicNow < limit {
    if condition() { return true }
    usleep(500)
  }
  return condition()
}

@Suite("Sockets")
struct SocketTests {
  @Test("the host has its loopback address among its interfaces")
  func interfaces() throws {
    #expect(try Socket.interfaceAddresses().contains(try loopback("127.0.0.1:0").address))
  }

  @Test("connects, accepts and tells both addresses", arguments: ["127.0.0.1:0", "[::1]:0"])
  func connect(_ text: String) throws {
    let listener = try Socket.listen(try loopback(text))
    let address = try Socket.localAddress(listener.number)
    let client = try Socket.connect(to: address)
    var accepted: (peer: SocketAddress, local: SocketAddress)?
    let came = eventually {
      switch Socket.accept(listener.number) {
      case .connection(let descriptor, let peer):
        guard let local = try? Socket.localAddress(descriptor.number) else { return false }
        accepted = (peer, local)
        return true
      case .none: return false
      case .exhausted: return false
      case .failed: return false
      }
    }
    #expect(came)
    #expect(Socket.pendingError(client.number) == nil)
    #expect(accepted?.local == address)
    #expect(accepted?.peer == (try Socket.localAddress(client.number)))
  }

  @Test("lets two sockets listen on one address")
  func reusePort() throws {
    let first = try Socket.listen(try loopback("127.0.0.1:0"))
    let address = try Socket.localAddress(first.number)
    let second = try Socket.listen(address)
    #expect(try Socket.localAddress(second.number) == address)
  }

  @Test("names the call and the reason when an address can't be had")
  func bindFails() throws {
    let error = #expect(throws: SystemError.self) {
      // TEST-NET-1 (RFC 5737 §3) belongs to no interface.
      _ = try Socket.listen(try #require(SocketAddress("192.0.2.1:5060")))
    }
    #expect(error?.description == "bind: Cannot assign requested address (99)")
  }

  @Test("tells that nobody listens at the peer")
  func refused() throws {
    let listener = try Socket.listen(try loopback("127.0.0.1:0"))
    let address = try Socket.localAddress(listener.number)
    _ = consume listener
    let client = try Socket.connect(to: address)
    var error: SystemError?
    _ = eventually {
      error = Socket.pendingError(client.number)
      return error != nil
    }
    #expect(error?.code == ECONNREFUSED)
  }

  @Test("receives several datagrams in one batch with their senders", arguments: ["127.0.0.1:0", "[::1]:0"])
  func datagrams(_ text: String) throws {
    let receiver = try Socket.datagram(try loopback(text))
    let sender = try Socket.datagram(try loopback(text))
    let address = try Socket.localAddress(receiver.number)
    let large = [UInt8](repeating: 7, count: 60_000)
    #expect(Socket.send(sender.number, large.span, to: address) == .octets(large.count))
    let small: [UInt8] = [1, 2, 3]
    #expect(Socket.send(sender.number, small.span, to: address) == .octets(3))
    let batch = try DatagramBatch()
    #expect(batch.receive(receiver.number) == .octets(2))
    var lengths: [Int] = []
    for index in 0..<2 { batch.withDatagram(index) { lengths.append($0.count) } }
    #expect(lengths == [60_000, 3])
    #expect(batch.sender(1) == (try Socket.localAddress(sender.number)))
    #expect(batch.receive(receiver.number) == .wouldBlock)
  }

  @Test("tells which peer refused a datagram", arguments: ["127.0.0.1:0", "[::1]:0"])
  func refusedDatagram(_ text: String) throws {
    let gone = try Socket.datagram(try loopback(text))
    let address = try Socket.localAddress(gone.number)
    _ = consume gone
    let sender = try Socket.datagram(try loopback(text))
    try Socket.setErrorQueue(sender.number, family: address.address.family)
    let octets: [UInt8] = [1]
    #expect(Socket.send(sender.number, octets.span, to: address) == .octets(1))
    var report: (peer: SocketAddress?, code: Int32)?
    _ = eventually {
      report = Socket.takeDatagramError(sender.number)
      return report != nil
    }
    #expect(report?.peer == address)
    #expect(report?.code == ECONNREFUSED)
    #expect(Socket.takeDatagramError(sender.number) == nil)
  }
}

@Suite("Processes and signals", .serialized)
struct ProcessTests {
  private func spawn(_ script: String, _ map: [clinux_descriptor_map], path: String = "/bin/sh") -> Int32 {
    let arguments: [UnsafeMutablePointer<CChar>?] = ["sh", "-c", script].map { (text: String) in strdup(text) } + [nil]
    defer { arguments.forEach { free($0) } }
    return clinux_spawn(path, arguments, nil, map, Int32(map.count), clinux_spawn_dies_with_parent)
  }

  @Test("starts a process with descriptors at the given numbers, also when they cross over, and reaps it")
  func descriptors() throws {
    var (first, second): ([Int32], [Int32]) = ([0, 0], [0, 0])
    #expect(clinux_pipe(&first) == 0)
    #expect(clinux_pipe(&second) == 0)
    defer { for number in first + second { close(number) } }
    // Each write end goes to the number that the other has here.
    let map = [
      clinux_descriptor_map(from: first[1], to: second[1]), clinux_descriptor_map(from: second[1], to: first[1]),
    ]
    let child = spawn("echo one >/proc/self/fd/\(second[1]); echo two >/proc/self/fd/\(first[1]); exit 7", map)
    #expect(child > 0)
    var end = clinux_exit()
    #expect(clinux_wait(child, true, &end) == 1)
    try #require(end.code == 7)
    for number in [first[0], second[0]] { try Socket.adopt(number) }
    var buffer = [UInt8](repeating: 0, count: 16)
    #expect(Socket.read(first[0], into: &buffer) == .octets(4))
    #expect(Array(buffer[..<4]) == Array("one\n".utf8))
    #expect(Socket.read(second[0], into: &buffer) == .octets(4))
    #expect(Array(buffer[..<4]) == Array("two\n".utf8))
  }

  @Test("passes on no descriptor but those that it is told to, not even inherited ones")
  func strayDescriptors() throws {
    var (pipe, stray): ([Int32], [Int32]) = ([0, 0], [0, 0])
    #expect(clinux_pipe(&pipe) == 0)
    #expect(Glibc.pipe(&stray) == 0)
    defer { for number in pipe + stray { close(number) } }
    let script = "[ -e /proc/self/fd/\(stray[0]) ] && exit 1; [ -e /proc/self/fd/3 ] && exit 0; exit 2"
    let child = spawn(script, [clinux_descriptor_map(from: pipe[1], to: 3)])
    var end = clinux_exit()
    #expect(clinux_wait(child, true, &end) == 1)
    #expect(end.code == 0)
  }

  @Test("reports an executable that can't be started as an error of the call")
  func missing() {
    #expect(spawn("", [], path: "/nonexistent/program") == -ENOENT)
  }

  @Test("tells the signal that ended a process")
  func killed() {
    let child = spawn("kill -TERM $$; sleep 5", [])
    var end = clinux_exit()
    #expect(clinux_wait(child, true, &end) == 1)
    #expect(end.signal == SIGTERM)
    #expect(end.code == -1)
  }

  @Test("delivers a signal as an event of the loop")
  func signals() throws {
    let loop = try EventLoop()
    var received: [SignalSource.Signal] = []
    let source = try SignalSource([.usr2], loop: loop) { received.append($0) }
    // To this thread: other threads of the test run don't block it.
    pthread_kill(pthread_self(), SIGUSR2)
    let limit = System.monotonicNow + .seconds(5)
    while received.isEmpty, loop.now < limit { try loop.runOnce(until: limit) }
    #expect(received == [.usr2])
    source.stop()
    #expect(loop.counters.descriptors == 0)
  }
}

@Suite("The log's reader", .serialized)
struct LogReaderTests {
  @Test(
    "a reader that has stopped holds nobody up, and gets the lines again when it goes on", arguments: [true, false])
  func stalled(_ isPipe: Bool) {
    var ends: [Int32] = [0, 0]
    #expect((isPipe ? clinux_pipe(&ends) : clinux_socket_pair(1, &ends)) == 0)
    defer { for number in ends { close(number) } }
    let line = [UInt8](repeating: 0x61, count: 10_000)
    let start = System.monotonicNow
    var lines = 0
    while lines < 10_000, clinux_write_log(ends[1], line, line.count) { lines += 1 }
    #expect(lines < 10_000)
    for _ in 0..<100 { #expect(!clinux_write_log(ends[1], line, line.count)) }
    #expect(System.monotonicNow - start < .seconds(5))
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    #expect(clinux_read(ends[0], &buffer, buffer.count) > 0)
    #expect(clinux_write_log(ends[1], line, 100))
  }
}

@Suite("Octet search")
struct OctetSearchTests {
  @Test("finds octets and sequences, or says that there are none")
  func find() {
    let text = Array("abcabd".utf8)
    let needle = Array("abd".utf8)
    #expect(clinux_find_octet(text, text.count, UInt8(ascii: "c")) == 2)
    #expect(clinux_find_octet(text, text.count, UInt8(ascii: "x")) == -1)
    #expect(clinux_find(text, text.count, needle, needle.count) == 3)
    #expect(clinux_find(text, 5, needle, needle.count) == -1)
  }

  @Test("a message brings its descriptor along; one that is too long is lost, what follows is not")
  func passing() throws {
    var ends: [Int32] = [-1, -1]
    try #require(clinux_socket_pair(5, &ends) == 0)
    let left = Descriptor(owning: ends[0])
    let right = Descriptor(owning: ends[1])
    let memory = Descriptor(owning: clinux_memory_file("test"))
    let content: [UInt8] = [9, 8, 7]
    try #require(content.withUnsafeBytes { clinux_write(memory.number, $0.baseAddress, $0.count) } == 3)

    let (short, long): ([UInt8], [UInt8]) = ([1, 2], Array(repeating: 3, count: 17))
    #expect(Socket.send(left.number, short.span, passing: nil) == .octets(2))
    #expect(Socket.send(left.number, long.span, passing: memory.number) == .octets(17))
    #expect(Socket.send(left.number, short.span, passing: memory.number) == .octets(2))
    var buffer = [UInt8](repeating: 0, count: 16)
    var passed: Descriptor?
    var isPassed = true
    #expect(Socket.receive(right.number, into: &buffer, passed: &passed) == .octets(2))
    isPassed = Self.number(passed) != nil
    #expect(!isPassed)
    #expect(Socket.receive(right.number, into: &buffer, passed: &passed) == .failed(Errno.messageSize))
    isPassed = Self.number(passed) != nil
    #expect(!isPassed)
    #expect(Socket.receive(right.number, into: &buffer, passed: &passed) == .octets(2))
    let number = Self.number(passed)
    let taken = try #require(number)
    var read: [UInt8] = [0, 0, 0]
    let count = read.withUnsafeMutableBytes { clinux_read_at(taken, $0.baseAddress, $0.count, 0) }
    #expect(count == 3)
    #expect(read == content)
    #expect(Socket.receive(right.number, into: &buffer, passed: &passed) == .wouldBlock)
    clinux_close(left.release())
    #expect(Socket.receive(right.number, into: &buffer, passed: &passed) == .endOfFile)
  }

  private static func number(_ descriptor: borrowing Descriptor?) -> Int32? {
    switch descriptor {
    case .some(let descriptor): descriptor.number
    case .none: nil
    }
  }
}
