import CTLSRecords
import Glibc
import Testing

/// The example of RFC 8448 §3: TLS_AES_128_GCM_SHA256.
@Suite("Keys and records are those of RFC 8448 §3")
struct RecordVectorTests {
  private static let clientSecret = octets("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5")
  private static let clientKey = octets("17422dda596ed5d9acd890e3c63f5051")
  private static let clientNonce = octets("5b78923dee08579033e523d9")
  private static let serverSecret = octets("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643")
  private static let serverKey = octets("9f02283b6c9c07efc26bb9f2ac92e356")
  private static let serverNonce = octets("cf782b88dd83549aadf1e984")
  /// The client's first record of data: fifty octets, 0 to 49.
  private static let record = octets(
    """
    1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f5a6292a2977014bd1e3deae6\
    3aeebb21694915e4
    """)

  private static func octets(_ text: String) -> [UInt8] {
    let digits = text.utf8.map { $0 < 97 ? $0 - 48 : $0 - 87 }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }

  private static func expand(_ secret: [UInt8], _ label: String, _ length: Int) -> [UInt8] {
    var output = [UInt8](repeating: 0, count: length)
    #expect(tlsrecords_expand_label(false, secret, label, &output, length) == 1)
    return output
  }

  @Test("keys and nonces follow from the traffic secrets")
  func keys() {
    #expect(Self.expand(Self.clientSecret, "key", 16) == Self.clientKey)
    #expect(Self.expand(Self.clientSecret, "iv", 12) == Self.clientNonce)
    #expect(Self.expand(Self.serverSecret, "key", 16) == Self.serverKey)
    #expect(Self.expand(Self.serverSecret, "iv", 12) == Self.serverNonce)
  }

  /// The state of an end that has sent and received nothing under these keys.
  private static func state(isServer: Bool) -> [UInt8] {
    func direction(_ secret: [UInt8], _ key: [UInt8], _ nonce: [UInt8]) -> [UInt8] {
      func padded(_ octets: [UInt8], _ length: Int) -> [UInt8] {
        octets + Array(repeating: 0, count: length - octets.count)
      }
      return Array(repeating: 0, count: 8) + padded(secret, 48) + padded(key, 32) + padded(nonce, 12)
    }
    let client = direction(clientSecret, clientKey, clientNonce)
    let server = direction(serverSecret, serverKey, serverNonce)
    var state: [UInt8] = Array("ATLS".utf8) + [1, isServer ? 1 : 0, 3, 4, 0x13, 1, 0x40, 0]
    state += Array(repeating: 0, count: 50 - state.count)
    state += isServer ? client + server : server + client
    return state + Array(repeating: 0, count: tlsrecords_state_size - state.count)
  }

  @Test("the client seals the record to the octet, and the server opens it")
  func data() throws {
    var pair: [Int32] = [-1, -1]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
    defer { pair.forEach { close($0) } }
    let (client, server) = (Self.state(isServer: false), Self.state(isServer: true))
    let sender: OpaquePointer = try #require(tlsrecords_import(client, client.count))
    defer { tlsrecords_free(sender) }
    let content = (0..<50).map { UInt8($0) }
    #expect(tlsrecords_write(sender, pair[0], content, content.count).count == 50)
    var received = [UInt8](repeating: 0, count: 100)
    #expect(read(pair[1], &received, 100) == Self.record.count)
    #expect(Array(received[..<Self.record.count]) == Self.record)

    let receiver: OpaquePointer = try #require(tlsrecords_import(server, server.count))
    defer { tlsrecords_free(receiver) }
    #expect(write(pair[0], Self.record, Self.record.count) == Self.record.count)
    let result = tlsrecords_read(receiver, pair[1], &received, received.count)
    #expect(result.status == tlsrecords_done && Array(received[..<Int(result.count)]) == content)
  }
}
