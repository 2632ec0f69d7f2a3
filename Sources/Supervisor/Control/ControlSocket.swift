internal import CLinux
internal import Configuration
internal import Glibc
internal import Reactor
internal import Structures

/// The Unix socket over which administrators talk to the supervisor: for its owner alone, for ``maximumClients`` at a time.
final class ControlSocket: EventHandler {
  /// More are told to come back later.
  static let maximumClients = 16
  private static let backlog: Int32 = 16

  private let path: String
  private let loop: EventLoop
  private let service: ControlService
  let descriptor: Descriptor
  private var clients: [ObjectIdentifier: ControlClient] = [:]

  /// Makes the socket; one that a supervisor which was killed left there is replaced.
  init(path: String, loop: EventLoop, service: ControlService) throws(StateDirectory.Problem) {
    self.path = path
    self.loop = loop
    self.service = service
    try Self.removeStale(path)
    let result = clinux_unix_listen(path, clinux_stream, 0o600, Self.backlog)
    guard result >= 0 else { throw .unusable(path: path, Files.problem(-result)) }
    descriptor = Descriptor(owning: result)
    do { try loop.register(result, .readable, handler: self) } catch {
      throw .unusable(path: path, Files.problem(error.code))
    }
  }

  /// The socket that the program before held.
  init(inheriting descriptor: Int32, path: String, loop: EventLoop, service: ControlService) throws(SystemError) {
    self.path = path
    self.loop = loop
    self.service = service
    self.descriptor = Descriptor(owning: descriptor)
    try loop.register(descriptor, .readable, handler: self)
  }

  /// Closes and removes it.
  func remove() {
    for client in Array(clients.values) { client.close() }
    loop.unregister(descriptor.number)
    unlink(path)
  }

  func ready(_: Events) {
    while true {
      let number = clinux_packet_accept(descriptor.number)
      guard number >= 0 else { return }
      admit(Descriptor(owning: number))
    }
  }

  private func admit(_ connection: consuming Descriptor) {
    guard let client = try? ControlClient(connection, loop: loop) else { return }
    clients[ObjectIdentifier(client)] = client
    client.closed = { [unowned self] client in
      clients[ObjectIdentifier(client)] = nil
      service.closed(client)
    }
    guard clients.count <= Self.maximumClients else {
      let line: JSONValue = [
        "error": "too many ask at a time", "remedy": "ask again later",
        "status": .count(ControlProblem.Status.refused.rawValue),
      ]
      client.send(line.octets)
      return client.closeAfterOutput()
    }
    client.received = { [unowned self] client, line in service.received(client, line) }
    client.drained = { [unowned self] client in service.drained(client) }
  }

  /// Removes a socket that nobody listens at. What is no socket, or somebody's, stays.
  private static func removeStale(_ path: String) throws(StateDirectory.Problem) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw .unusable(
        path: path, .init(problem: "it is there already and no socket", remedy: "remove it, or choose another path"))
    }
    let result = clinux_unix_connect(path, clinux_stream)
    if result >= 0 {
      clinux_close(result)
      throw .unusable(
        path: path, .init(problem: "another supervisor listens there", remedy: "give each node a path of its own"))
    }
    unlink(path)
  }
}
