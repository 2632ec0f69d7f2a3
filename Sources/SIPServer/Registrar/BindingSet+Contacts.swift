import Structures

extension BindingSet {
  /// Appends a Contact line for each live binding, as the answer to a REGISTER request enumerates them (RFC 3261 §10.3 step 8). `now`
  /// is in Unix seconds. Given an address of record as its key, each also tells the GRUUs of its instance (RFC 5627 §5.2).
  public func appendContacts(
    now: Int64, gruusOf aor: [UInt8]? = nil, hashing: (any Hashing)? = nil, to output: inout [UInt8]
  ) {
    for binding in bindings where binding.expires > now {
      output.append("Contact: <")
      output += binding.uri
      output.append(UInt8(ascii: ">"))
      output += binding.parameters
      if let aor, let hashing { GRUU.appendParameters(of: binding, aor: aor.span, hashing: hashing, to: &output) }
      if binding.isQGiven { Self.append(q: binding.q, to: &output) }
      output.append(";expires=")
      output.append(decimal: UInt64(binding.expires - now))
      output.append("\r\n")
    }
  }

  /// `;q=1`, `;q=0.5`, `;q=0.25`: without zeros at the end.
  private static func append(q: UInt16, to output: inout [UInt8]) {
    output.append(";q=")
    output.append(decimal: UInt64(q / 1_000))
    var rest = q % 1_000
    if rest > 0 { output.append(UInt8(ascii: ".")) }
    while rest > 0 {
      output.append(UInt8(ascii: "0") + UInt8(rest / 100))
      rest = rest % 100 * 10
    }
  }
}
