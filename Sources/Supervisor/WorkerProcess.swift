internal import CLinux
internal import Configuration
internal import Reactor
internal import Structures

/// One running worker as its supervisor sees it: a process and the control channel to it.
final class WorkerProcess: EventHandler {
  let slot: Int
  let generation: UInt16
  let process: Int32
  private let channel: Descriptor
  private let loop: EventLoop
  private var isOpen = true
  private var buffer = [UInt8](repeating: 0, count: ControlMessage.maximumSize)
  private let received: (ControlMessage, WorkerProcess) -> Void
  /// The other end of the socket over which it is to take over, until that is passed to the process which it takes over from.
  private var handOver: Descriptor?

  /// What a worker is given beside its slot and generation.
  struct Belongings {
    /// The random number of the supervisor's start.
    var epoch: UInt64
    /// How many slots the node has.
    var slots: Int
    /// The configuration.
    var bundle: ConfigurationBundle
    /// The listening sockets of the slot.
    var listeners: [Int32]
    /// The link listener of the slot.
    var link: Int32
    /// Where the link listeners of all slots are.
    var linkDirectory: String
    /// The memory of the statistics pages.
    var page: Int32
    /// The socket of the private Redis; empty: there is none.
    var redis: String
    /// Whom the worker runs as; nil: as the supervisor.
    var owner: ProcessOwner?
  }

  /// Starts the executable with the control channel at 3, the sockets at 4 and above and the rest behind them.
  init(
    executable: String, slot: Int, generation: UInt16, belongings: borrowing Belongings, takesOver: Bool = false,
    loop: EventLoop, received: @escaping (ControlMessage, WorkerProcess) -> Void
  ) throws(SystemError) {
    var ends: [Int32] = [-1, -1]
    let made = clinux_socket_pair(clinux_seqpacket, &ends)
    if made < 0 { throw SystemError("socketpair", code: -made) }
    channel = Descriptor(owning: ends[0])
    let other = Descriptor(owning: ends[1])
    let octets = belongings.bundle.encode()
    let memory = octets.withUnsafeBytes { clinux_sealed_memory("apus-configuration", $0.baseAddress, $0.count) }
    if memory < 0 { throw SystemError("memfd_create", code: -memory) }
    let configuration = Descriptor(owning: memory)

    let first: Int32 = 4
    let inherited = belongings.listeners + [configuration.number, belongings.link, belongings.page]
    let behind = first + Int32(belongings.listeners.count)
    var map = inherited.enumerated().map { clinux_descriptor_map(from: $1, to: first + Int32($0)) }
    map.append(clinux_descriptor_map(from: other.number, to: 3))
    var kin: [Int32] = [-1, -1]
    let kinMade = takesOver ? clinux_socket_pair(clinux_seqpacket, &kin) : 0
    if kinMade < 0 { throw SystemError("socketpair", code: -kinMade) }
    let kinEnd = takesOver ? Descriptor(owning: kin[1]) : nil
    handOver = takesOver ? Descriptor(owning: kin[0]) : nil
    if takesOver { map.append(clinux_descriptor_map(from: kin[1], to: behind + 3)) }
    let arguments = WorkerArguments(
      configuration: behind, control: 3, slot: UInt16(slot), slots: UInt16(belongings.slots), generation: generation,
      epoch: belongings.epoch, listeners: Array(first..<behind), link: behind + 1,
      linkDirectory: belongings.linkDirectory, page: behind + 2, redis: belongings.redis,
      handOver: takesOver ? behind + 3 : -1)
    process = try ChildProcess.spawn(executable, arguments.words, map, as: belongings.owner)
    _ = consume kinEnd
    self.slot = slot
    self.generation = generation
    self.loop = loop
    self.received = received
    do throws(SystemError) {
      try Socket.adopt(channel.number)
      try loop.register(channel.number, .readable, handler: self)
    } catch {
      // Nobody would ever hear of it or reap it.
      kill()
      var end = clinux_exit()
      _ = clinux_wait(process, true, &end)
      throw error
    }
  }

  /// A worker that the program before started.
  init(
    inheriting worker: Inheritance.Worker, loop: EventLoop,
    received: @escaping (ControlMessage, WorkerProcess) -> Void
  ) throws(SystemError) {
    slot = worker.slot
    generation = worker.generation
    process = worker.process
    channel = Descriptor(owning: worker.channel)
    self.loop = loop
    self.received = received
    try loop.register(channel.number, .readable, handler: self)
  }

  /// The worker for the program that follows; see ``Inheritance/Worker/rest``.
  func inherited(rest: Int64) -> Inheritance.Worker {
    Inheritance.Worker(slot: slot, generation: generation, process: process, channel: channel.number, rest: rest)
  }

  /// Reads what the worker says.
  func ready(_ events: Events) {
    while isOpen {
      // No worker passes a descriptor: one that came is closed.
      var passed: Descriptor?
      switch Socket.receive(channel.number, into: &buffer, passed: &passed) {
      case .octets(let count):
        let buffer = buffer
        if let message = ControlMessage(buffer.span.extracting(..<count)) { received(message, self) }
      case .wouldBlock:
        return
      case .failed(Errno.messageSize):
        continue
      case .endOfFile, .failed:
        // The end of the process is what counts; it is heard of by signal, or by silence.
        close()
      }
    }
  }

  /// Tells the worker something, with a descriptor of ours along; whether it was taken. A worker that does not listen is found by its silence.
  @discardableResult
  func send(_ message: ControlMessage, passing descriptor: Int32? = nil) -> Bool {
    let octets = message.octets
    return Socket.send(channel.number, octets.span, passing: descriptor) == .octets(octets.count)
  }

  /// Has another process of the slot hand over to this one.
  func takeOver(from other: WorkerProcess) {
    guard let socket = handOver.take() else { return }
    other.send(.handOver, passing: socket.number)
  }

  /// Ends the process at once.
  func kill() {
    _ = clinux_kill(process, clinux_signal_kill)
  }

  /// How the process ended; nil while it runs.
  func reap() -> SupervisorMachine.WorkerEnd? {
    guard let end = ChildProcess.reap(process) else { return nil }
    // What it said last is read before its end is told.
    ready(.readable)
    close()
    return end
  }

  private func close() {
    guard isOpen else { return }
    isOpen = false
    loop.unregister(channel.number)
  }
}
