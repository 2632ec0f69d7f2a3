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
    let configuration = try readConfiguration(arguments.configuration)
    log.logLevel = Logger.Level(rawValue: configuration.log.level.rawValue) ?? .info
    try serve(configuration, arguments, log)
    return 0
  } catch {
    log.error("worker can't run: \(error)")
    return 1
  }
}

/// Why a worker could not start.
struct StartError: Error, CustomStringConvertible {
  let description: String
}

/// Reads the bundle that the supervisor left in sealed memory.
private func readConfiguration(_ descriptor: Int32) throws -> NodeConfiguration {
  let memory = Descriptor(owning: descriptor)
  var octets: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 65_536)
  while true {
    let count = buffer.withUnsafeMutableBytes {
      clinux_read_at(memory.number, $0.baseAddress, $0.count, Int64(octets.count))
    }
    guard count >= 0 else { throw StartError(description: "the configuration can't be read (errno \(-count))") }
    if count == 0 { break }
    octets += buffer[..<Int(count)]
  }
  guard let bundle = ConfigurationBundle(decoding: octets) else {
    throw StartError(description: "the configuration is of another version; restart the node")
  }
  let resolved = bundle.resolve()
  guard let configuration = resolved.configuration else {
    throw StartError(description: resolved.errors.map { "\($0)" }.joined(separator: "; "))
  }
  return configuration
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
  if arguments.link >= 0 {
    try node.startLinks(listener: Descriptor(owning: arguments.link), limit: .milliseconds(500))
  }
  try addListeners(node.transport, configuration, arguments.listeners)
  let control = try ControlChannel(descriptor: arguments.control, loop: loop) { order in node.obey(order) }
  node.control = control
  control.send(.ready)
  log.notice("worker ready", metadata: ["slot": "\(arguments.slot)", "generation": "\(arguments.generation)"])
  try withExtendedLifetime((signals, control)) { try loop.run() }
  node.end()
}

private func addListeners(
  _ transport: TransportLayer, _ configuration: NodeConfiguration, _ descriptors: [Int32]
) throws {
  guard descriptors.count == configuration.listen.count else {
    throw StartError(description: "\(descriptors.count) sockets for \(configuration.listen.count) listeners")
  }
  let contexts = try serverContexts(configuration)
  for (name, profile) in configuration.tlsClient {
    transport.setClientContext(try context(.client, TLSSettings(profile, name: name), name), profile: name)
  }
  for (index, listener) in configuration.listen.enumerated() {
    let descriptor = Descriptor(owning: descriptors[index])
    if listener.transport == .udp {
      try transport.addDatagramListener(descriptor, index: UInt16(index))
    } else {
      try transport.addStreamListener(
        descriptor, index: UInt16(index), transport: listener.transport,
        context: listener.transport == .tls ? contexts[listener.profile] : nil)
    }
  }
}

/// A context for each server profile; each knows the others by the server names that they list.
private func serverContexts(_ configuration: NodeConfiguration) throws -> [String: TLSContext] {
  var contexts: [String: TLSContext] = [:]
  for (name, profile) in configuration.tlsServer {
    contexts[name] = try context(.server, TLSSettings(profile, name: name), name)
  }
  for (name, profile) in configuration.tlsServer {
    guard let context = contexts[name] else { continue }
    for serverName in profile.serverNames {
      for other in contexts.values { other.setContext(context, forServerName: serverName) }
    }
  }
  return contexts
}

private func context(_ role: TLSContext.Role, _ settings: TLSSettings, _ name: String) throws -> TLSContext {
  do {
    return try TLSContext(role, settings)
  } catch {
    throw StartError(description: "tls profile \(name): \(error)")
  }
}
