import CLinux
import Configuration
import Glibc
import Log
import Logging
import Reactor
import Structures
import TLSEngine
import Transport

/// Runs a worker until its supervisor ends it, then exits: with 0 after an ordered end, 1 when the worker could not start, 2 when it was not
/// started by a supervisor. `words` are the arguments behind the program's name (``WorkerArguments``).
public func runWorker(_ words: [String]) -> Never {
  exit(exitCode(words))
}

private func exitCode(_ words: [String]) -> Int32 {
  var log = Logger(label: "apus-worker") { _ in StandardErrorLog(program: "apus-worker") }
  guard let arguments = WorkerArguments(words) else {
    log.error("apus-worker is started by apus: run `apus serve --config FILE`")
    return 2
  }
  // Keys must not end up in a core file or be read by another process of the same user.
  _ = clinux_set_dumpable(false)
  do {
    let configuration = try ConfigurationMemory.read(Descriptor(owning: arguments.configuration))
    log.logLevel = Logger.Level(rawValue: configuration.log.level.rawValue) ?? .info
    try serve(configuration, arguments, log)
    return 0
  } catch {
    log.error("worker can't run: \(error)")
    return 1
  }
}

private func serve(_ configuration: NodeConfiguration, _ arguments: WorkerArguments, _ log: Logger) throws {
  System.ignoreBrokenPipes()
  _ = try System.raiseDescriptorLimit()
  let loop = try EventLoop()
  // Whoever signals the whole group means the supervisor, which tells the workers what to do.
  let node = try WorkerNode(configuration, arguments: arguments, loop: loop, log: log)
  let signals = try SignalSource([.int, .term, .hup, .usr1], loop: loop) { signal in
    if signal == .usr1 { node.logStatistics(.notice) }
  }
  let succeeds = arguments.handOver >= 0
  if arguments.link >= 0 {
    try node.startLinks(
      listener: Descriptor(owning: arguments.link), listens: !succeeds, limit: .milliseconds(500))
    try node.awaitLocation(limit: .milliseconds(500))
  }
  try prepareContexts(node, configuration, arguments.listeners.count, log)
  if succeeds {
    try node.arrive(Descriptor(owning: arguments.handOver)) {
      try addListeners(node, configuration, arguments.listeners)
    }
  } else {
    try addListeners(node, configuration, arguments.listeners)
  }
  let control = try ControlChannel(descriptor: arguments.control, loop: loop) { order in node.obey(order) }
  node.control = control
  control.send(.ready)
  log.notice("worker ready", metadata: ["slot": "\(arguments.slot)", "generation": "\(arguments.generation)"])
  try withExtendedLifetime((signals, control)) { try loop.run() }
  node.end()
}

private func prepareContexts(
  _ node: WorkerNode, _ configuration: NodeConfiguration, _ sockets: Int, _ log: Logger
) throws {
  guard sockets == configuration.listen.count else {
    throw StartError(description: "\(sockets) sockets for \(configuration.listen.count) listeners")
  }
  let transport = node.transport
  let contexts = try TLSContexts(configuration, issuers: node.revocation.issuers, tickets: node.tickets)
  node.contexts = contexts
  node.revocation.adopt(contexts)
  if configuration.detach == .auto, !configuration.tlsServer.isEmpty, let failure = DetachTrial.failure {
    log.warning("TLS connections stay on OpenSSL's objects, which costs memory: the trial failed: \(failure)")
  }
  try node.awaitStaples(limit: .seconds(1))
  node.profileCertificates = ProfileCertificates(contexts)
  node.warnOfKeyLog(configuration)
  for (name, context) in contexts.client { transport.setClientContext(context, profile: name) }
  transport.setClientNames(contexts.clientNames)
  node.setConnectionLevels(configuration)
  if transport.identity.slot == 0 { CertificateWarnings(configuration).write(to: log) }
}

private func addListeners(_ node: WorkerNode, _ configuration: NodeConfiguration, _ descriptors: [Int32]) throws {
  let transport = node.transport
  for (index, listener) in configuration.listen.enumerated() {
    let descriptor = Descriptor(owning: descriptors[index])
    if listener.transport == .udp {
      try transport.addDatagramListener(descriptor, index: UInt16(index))
    } else {
      try transport.addStreamListener(
        descriptor, index: UInt16(index), transport: listener.transport,
        context: listener.transport == .tls ? node.contexts?.server[listener.profile] : nil)
    }
  }
}
