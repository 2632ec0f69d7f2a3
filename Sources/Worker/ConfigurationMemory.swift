import CLinux
import Configuration
import Reactor

/// Why a worker could not start, or can't serve by a new configuration.
struct StartError: Error, CustomStringConvertible {
  let description: String
}

/// Reading the bundle that the supervisor left in sealed memory.
enum ConfigurationMemory {
  /// The configuration.
  static func read(_ memory: borrowing Descriptor) throws(StartError) -> NodeConfiguration {
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
}
