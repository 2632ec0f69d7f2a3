import Reactor
import Structures
import TLSEngine

/// The socket of one connection, with TLS or without: octets in and out, no meaning.
struct RedisSocket: ~Copyable {
  enum Outcome: Equatable {
    case octets(Int)
    case wait
    case failed(RedisTrouble)
  }

  private let descriptor: Descriptor
  private var session: TLSSession?
  /// TLS can't go on before the socket is writable.
  private(set) var wantsWrite = false

  /// Starts to connect.
  init(to server: RedisServer) throws(SystemError) {
    switch server {
    case .unix(let path): descriptor = try Socket.connect(toPath: path)
    case .address(let address, _):
      descriptor = try Socket.connect(to: address)
      Socket.setNoDelay(descriptor.number)
    }
  }

  var number: Int32 { descriptor.number }

  /// Octets that a read gets without the socket being readable.
  var hasInside: Bool { session?.hasPending == true }

  mutating func secure(_ context: TLSContext, name: String) throws(TLSError) {
    session = try TLSSession(context, descriptor: number, peerName: name)
    wantsWrite = true
  }

  /// One step of the handshake: octets(0) when it is done.
  mutating func handshake() -> Outcome {
    guard let session else { return .failed(.tls("no session")) }
    switch session.handshake() {
    case .done:
      wantsWrite = false
      return .octets(0)
    case .wantRead:
      wantsWrite = false
      return .wait
    case .wantWrite:
      wantsWrite = true
      return .wait
    case .failed(let error): return .failed(.tls(error.text))
    }
  }

  mutating func read(into buffer: inout [UInt8]) -> Outcome {
    guard let session else {
      switch Socket.read(number, into: &buffer) {
      case .octets(let count): return .octets(count)
      case .wouldBlock: return .wait
      case .endOfFile: return .failed(.closed)
      case .failed(let code): return .failed(.system("\(SystemError("read", code: code))"))
      }
    }
    return outcome(session.read(into: &buffer))
  }

  mutating func write(_ octets: Span<UInt8>) -> Outcome {
    guard let session else {
      switch Socket.send(number, octets) {
      case .octets(let count): return .octets(count)
      case .wouldBlock: return .wait
      case .endOfFile: return .failed(.closed)
      case .failed(let code): return .failed(.system("\(SystemError("send", code: code))"))
      }
    }
    return outcome(session.write(octets))
  }

  /// Says that we send no more, where there is TLS.
  mutating func shutdown() { session?.shutdown() }

  private mutating func outcome(_ result: TLSResult) -> Outcome {
    wantsWrite = false
    switch result {
    case .octets(let count): return .octets(count)
    case .wantRead: return .wait
    case .wantWrite:
      wantsWrite = true
      return .wait
    case .endOfFile: return .failed(.closed)
    case .failed(let error): return .failed(.tls(error.text))
    }
  }
}
