import CLinux

/// A call to the kernel that failed.
public struct SystemError: Error, Hashable, Sendable {
  /// The call, for instance `bind`.
  public let call: String
  /// Its errno, greater than 0.
  public let code: Int32

  /// The failure of `call` with an errno.
  public init(_ call: String, code: Int32) {
    self.call = call
    self.code = code
  }

  /// The meaning of ``code`` in the words of the C library, for instance `Address already in use`.
  public var text: String { String(cString: clinux_error_text(code)) }

  /// Returns the result of a C wrapper that answers with a negated errno when it fails.
  @discardableResult
  static func check(_ call: String, _ result: Int32) throws(SystemError) -> Int32 {
    if result < 0 { throw SystemError(call, code: -result) }
    return result
  }
}

extension SystemError: CustomStringConvertible {
  /// `bind: Address already in use (98)`.
  public var description: String { "\(call): \(text) (\(code))" }
}
