import Structures
import Testing

@testable import Cluster

@Suite("Frames between workers")
struct LinkFrameTests {
  static let stream = StreamFlow(node: 0xDEAD_BEEF, slot: 513, epoch: .max - 1, connection: 3 << 48 | 77)
  static let peer = SocketAddress(IPAddress(v4: 0xC000_0207), port: 40_001)
  static let local = SocketAddress(IPAddress(v6: 0x2001_0DB8_0000_0000, 5), port: 5061)

  static func flow(_ transport: TransportProtocol, isVerified: Bool = false, isTrusted: Bool = false) -> Flow {
    let id: FlowID =
      transport == .udp ? .datagram(DatagramFlow(node: 9, listener: 2, remote: peer)) : .stream(stream)
    return Flow(
      id: id, transport: transport, listener: 2, local: local, remote: peer, isVerified: isVerified,
      isTrusted: isTrusted)
  }

  /// One of each kind.
  static let samples: [LinkFrame] = [
    .hello(LinkIdentity(node: 1, epoch: 0x0102_0304_0506_0708, slot: 2, generation: 65_535)),
    .sendOnFlow(stream, tag: .max, generation: 4), .sendOnFlow(stream, tag: 0, generation: 0),
    .messageFromFlow(flow(.udp)), .messageFromFlow(flow(.tcp)), .messageFromFlow(flow(.tls, isVerified: true)),
    .messageFromFlow(flow(.tls, isVerified: true, isTrusted: true)),
    .notMine(stream, tag: 7, generation: 1), .failed(tag: 8, generation: 2), .closed(stream), .suspect(stream),
    .recovered(stream), .trusted(stream), .whoHas(question: 1 << 40, generation: 3, flow(.udp)),
    .whoHas(question: 1, generation: 3, flow(.tls)), .has(question: 5, generation: 6, true),
    .has(question: 5, generation: 6, false), .whereIs(question: 11, generation: 12),
    .isAt(question: 13, generation: 14), .refused(DatagramFlow(node: 9, listener: 2, remote: peer)),
    .refused(DatagramFlow(node: 9, listener: 65_535, remote: local)), .succeeds,
  ]

  /// What a reader makes of a packet: frames with the octets behind them, and whether it came to the end.
  static func read(_ packet: [UInt8]) -> (frames: [(LinkFrame, [UInt8])], skipped: Int, isWhole: Bool) {
    var reader = LinkReader()
    var frames: [(LinkFrame, [UInt8])] = []
    var skipped = 0
    while true {
      switch reader.next(packet.span) {
      case .frame(let frame, let range): frames.append((frame, Array(packet[range])))
      case .unknown: skipped += 1
      case .end: return (frames, skipped, true)
      case .broken: return (frames, skipped, false)
      }
    }
  }

  @Test("a frame of every kind is read as it was written, with the octets behind it")
  func everyKind() {
    var packet: [UInt8] = []
    for (index, frame) in Self.samples.enumerated() {
      let payload = [UInt8](repeating: UInt8(index), count: index * 3)
      frame.append(payload.span, to: &packet)
    }
    let read = Self.read(packet)
    #expect(read.isWhole)
    #expect(read.frames.map(\.0) == Self.samples)
    for (index, frame) in read.frames.enumerated() {
      #expect(frame.1 == [UInt8](repeating: UInt8(index), count: index * 3))
    }
    #expect(Set(Self.samples.map(\.kind.rawValue)).count == 15, "a kind has no sample")
  }

  @Test("a frame carries the longest message that is taken, with what is added to it")
  func largest() {
    let payload = [UInt8](repeating: 0x41, count: LinkFrame.maximumOctets)
    var packet: [UInt8] = []
    LinkFrame.messageFromFlow(Self.flow(.tls)).append(payload.span, to: &packet)
    let read = Self.read(packet)
    #expect(read.frames.first?.1 == payload && read.isWhole)
  }

  @Test("no head is longer than the room that is kept for it")
  func heads() {
    let six = SocketAddress(IPAddress(v6: .max, .max), port: .max)
    let longest = LinkFrame.whoHas(
      question: 1, generation: 1,
      Flow(
        id: .stream(Self.stream), transport: .tls, listener: 1, local: six, remote: six, isVerified: true))
    for frame in Self.samples + [longest] {
      var packet: [UInt8] = []
      frame.append(to: &packet)
      #expect(packet.count <= LinkFrame.longestHead)
    }
  }

  @Test("kinds of later versions are skipped, and what follows them is read")
  func unknownKinds() {
    var packet: [UInt8] = [200, 0, 0, 3, 1, 2, 3, 0, 0, 0, 0]
    LinkFrame.closed(Self.stream).append(to: &packet)
    packet += [255, 0, 0, 0]
    let read = Self.read(packet)
    #expect(read.frames.map(\.0) == [.closed(Self.stream)] && read.skipped == 3 && read.isWhole)
  }

  @Test("a packet that is cut anywhere is broken or ends between two frames; nothing traps")
  func cuts() {
    var packet: [UInt8] = []
    var ends: Set<Int> = [0]
    for frame in Self.samples {
      frame.append(to: &packet)
      ends.insert(packet.count)
    }
    for length in 0..<packet.count {
      #expect(Self.read(Array(packet[..<length])).isWhole == ends.contains(length))
    }
  }

  @Test("a frame that is too short for its kind is broken, whatever its length says")
  func shortFrames() {
    for frame in Self.samples {
      var whole: [UInt8] = []
      frame.append(to: &whole)
      for length in 0..<whole.count - 4 {
        var packet = Array(whole[..<(4 + length)])
        packet[3] = UInt8(length)
        // What follows in the packet is not taken for a part of it.
        packet += [UInt8](repeating: 4, count: 64)
        let read = Self.read(packet)
        #expect(read.frames.isEmpty && !read.isWhole, "\(frame) with \(length) octets")
      }
    }
  }

  @Test("a hello of another version, and a flow of an unknown transport or family, are broken")
  func badParts() {
    var hello: [UInt8] = []
    Self.samples[0].append(to: &hello)
    hello[4] = LinkFrame.version + 1
    #expect(!Self.read(hello).isWhole)
    for (position, value) in [(4, 9), (8, 5), (27, 7)] {
      var packet: [UInt8] = []
      LinkFrame.messageFromFlow(Self.flow(.udp)).append(to: &packet)
      packet[position] = UInt8(value)
      #expect(!Self.read(packet).isWhole)
    }
  }

  @Test(
    "octets at random, and packets with octets changed at random, are read to an end without a trap", arguments: 0..<8)
  func random(_ seed: UInt64) {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1
    func next() -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(truncatingIfNeeded: state >> 33)
    }
    var good: [UInt8] = []
    for frame in Self.samples { frame.append(Self.local.description.utf8.span, to: &good) }
    for _ in 0..<500 {
      var changed = good
      for _ in 0...(next() % 4) { changed[next() % changed.count] = UInt8(truncatingIfNeeded: next()) }
      if next() % 3 == 0 { changed.removeLast(next() % changed.count) }
      for (frame, octets) in Self.read(changed).frames { expectSame(frame, octets) }
      let noise = (0..<next() % 200).map { _ in UInt8(truncatingIfNeeded: next()) }
      for (frame, octets) in Self.read(noise).frames { expectSame(frame, octets) }
    }
  }

  /// What was read says the same when it is written again.
  private func expectSame(_ frame: LinkFrame, _ octets: [UInt8]) {
    var packet: [UInt8] = []
    frame.append(octets.span, to: &packet)
    let again = Self.read(packet)
    #expect(again.isWhole && again.frames.first?.0 == frame && again.frames.first?.1 == octets)
  }
}
