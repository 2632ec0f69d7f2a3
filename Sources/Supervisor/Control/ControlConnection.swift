internal import CLinux
public import Configuration
internal import Glibc

/// The other end of the control socket: asks a running node and reads its answer, waiting for it.
public final class ControlConnection {
  /// A node that says nothing for so long is not waited for: longer than a worker may take to answer.
  private static let patience: Int32 = 30_000

  private let descriptor: Int32
  private let path: String
  private var input: [UInt8] = []
  private var start = 0

  /// Connects to the socket at a path.
  public init(path: String) throws(ControlProblem) {
    self.path = path
    descriptor = clinux_unix_connect(path, clinux_stream)
    if descriptor < 0 { throw Self.problem(path, -descriptor) }
  }

  deinit { close(descriptor) }

  /// Asks, and hands every row of the answer to `row`, in order.
  /// - Returns: The slots whose workers should have answered and didn't.
  public func ask(
    _ verb: String, _ values: [String: String], row: (JSONValue) -> Void
  ) throws(ControlProblem) -> [Int] {
    let arguments = values.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, .string($0.value)) }
    let request: JSONValue = ["version": .integer(1), "verb": .string(verb), "arguments": .object(arguments)]
    try write(request.octets + [0x0A])
    while true {
      guard let line = JSONValue(reading: try readLine()) else { throw lost("its answer makes no sense") }
      if case .array(let rows)? = line["rows"] {
        for each in rows { row(each) }
      } else if let error = line["error"]?.text {
        let status = line["status"]?.integer.flatMap { ControlProblem.Status(rawValue: Int32(clamping: $0)) }
        throw ControlProblem(status ?? .refused, error, remedy: line["remedy"]?.text ?? "")
      } else {
        guard case .array(let missing)? = line["missing"] else { return [] }
        return missing.compactMap(\.integer).map { Int($0) }
      }
    }
  }

  private func write(_ octets: [UInt8]) throws(ControlProblem) {
    var sent = 0
    while sent < octets.count {
      try wait(Int16(POLLOUT))
      let rest = Array(octets[sent...])
      let count = clinux_send(descriptor, rest, rest.count)
      if count == -Int(EAGAIN) { continue }
      if count < 0 { throw lost("it has closed the connection") }
      sent += count
    }
  }

  private func readLine() throws(ControlProblem) -> [UInt8] {
    var searched = start
    while true {
      if let end = input[searched...].firstIndex(of: 0x0A) {
        let line = Array(input[start..<end])
        start = end + 1
        return line
      }
      input.removeSubrange(..<start)
      start = 0
      searched = input.count
      try wait(Int16(POLLIN))
      var buffer = [UInt8](repeating: 0, count: 64 << 10)
      let count = clinux_read(descriptor, &buffer, buffer.count)
      if count == -Int(EAGAIN) { continue }
      if count <= 0 { throw lost("it has closed the connection") }
      input += buffer[..<count]
      if input.count > 16 << 20 { throw lost("its answer has no end") }
    }
  }

  private func wait(_ events: Int16) throws(ControlProblem) {
    var entry = pollfd(fd: descriptor, events: events, revents: 0)
    var result: Int32
    repeat { result = poll(&entry, 1, Self.patience) } while result < 0 && errno == EINTR
    if result <= 0 { throw lost("it does not answer") }
  }

  private func lost(_ what: String) -> ControlProblem {
    ControlProblem(.unreachable, "the node at \(path): \(what)", remedy: "see the log of the node")
  }

  private static func problem(_ path: String, _ code: Int32) -> ControlProblem {
    let (problem, remedy) =
      switch code {
      case ENOENT, ECONNREFUSED:
        (
          "no node listens at \(path)",
          "start it with apus serve, or name its settings with --config or its socket with --socket"
        )
      case EACCES, EPERM: ("\(path) belongs to another user", "ask as the user that runs the node, or as root")
      case EAGAIN: ("too many ask the node at a time", "ask again later")
      case ENAMETOOLONG: ("\(path) is too long for a socket", "go to its directory and give --socket a relative path")
      default: ("\(path): \(String(cString: strerror(code)))", "")
      }
    return ControlProblem(.unreachable, problem, remedy: remedy)
  }
}
