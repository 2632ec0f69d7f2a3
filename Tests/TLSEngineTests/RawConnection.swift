import Glibc
import Testing

@testable import TLSEngine

/// A client that does with OpenSSL what ``TLSSession`` never does.
struct Raw {
  private typealias One = @convention(c) (OpaquePointer) -> OpaquePointer?
  private typealias Two = @convention(c) (OpaquePointer, OpaquePointer) -> Int32
  private typealias Number = @convention(c) (OpaquePointer, Int32) -> Int32
  private typealias Drop = @convention(c) (OpaquePointer) -> Void

  let connection: OpaquePointer

  init(_ session: TLSSession) throws {
    connection = try #require(Mirror(reflecting: session).descendant("connection") as? OpaquePointer)
  }

  private func symbol<Function>(_ name: String, _: Function.Type) throws -> Function {
    unsafeBitCast(try #require(dlsym(nil, name)), to: Function.self)
  }

  /// Sends a key update that asks for one in return (RFC 8446 §4.6.3).
  func updateKey() throws {
    try #require(try symbol("SSL_key_update", Number.self)(connection, 1) == 1)
    let handshake = try symbol("SSL_do_handshake", (@convention(c) (OpaquePointer) -> Int32).self)
    try #require(handshake(connection) == 1)
  }

  /// Hands what was agreed upon over to another connection, which offers to go on with it.
  func giveSession(to other: Raw) throws {
    let held = try #require(try symbol("SSL_get1_session", One.self)(connection))
    defer { (try? symbol("SSL_SESSION_free", Drop.self))?(held) }
    try #require(try symbol("SSL_set_session", Two.self)(other.connection, held) == 1)
  }
}
