import SIPMessage
import Structures

/// What changes in the header fields that say who somebody is, on the way of one message to one receiver (RFC 3325 §5, §7). Nothing for most messages.
struct IdentityEdits {
  /// Who gets the message.
  enum Audience {
    /// A peer of our trust domain.
    case trusted
    /// A registered user of ours.
    case user
    /// Anybody else.
    case stranger
  }

  /// Names that few settings have; apart, so that the others cost nothing.
  private final class Others {
    let names: [[UInt8]]

    init(_ names: [[UInt8]]) { self.names = names }
  }

  /// Names of the fields that don't stay as they are.
  private(set) var touched = NameSet()
  /// Names of fields to be left out that ``SIPMessage/HeaderName`` doesn't have.
  private var others: Others?
  private var isPrivacyServed = false

  /// Nothing changes.
  init() {}

  /// Leaves out all fields of some names; of those that are `other`, only those named by ``drop(others:)``.
  mutating func drop(_ names: NameSet) { touched.formUnion(names) }

  /// Leaves out fields with names, in small letters, that ``SIPMessage/HeaderName`` doesn't have.
  mutating func drop(others names: [[UInt8]]) { others = Others(names) }

  /// RFC 3323 §5: `id` is done, so it goes from Privacy; when no other wish is left, the field goes, and with it what a next proxy would have to
  /// understand for its sake.
  mutating func serveID(_ privacy: PrivacyRequest) {
    isPrivacyServed = true
    touched.insert(.privacy)
    if privacy.unserved.isEmpty { touched.insert(.proxyRequire) }
  }

  /// Writes what is left of the field at `index` after everything from `run` to it; returns where copying goes on.
  func append(
    _ message: Message, _ text: Span<UInt8>, _ index: Int, from run: Int, to output: inout [UInt8]
  ) -> Int {
    let field = message.fields[index]
    if field.name == .other, !isDropped(text, field) { return run }
    output.append(text.extracting(run..<Int(field.start)))
    if field.name == .privacy, isPrivacyServed { appendPrivacy(text, field.value, to: &output) }
    return message.end(ofFieldAt: index)
  }

  private func isDropped(_ text: Span<UInt8>, _ field: Message.Field) -> Bool {
    let start = Int(field.start)
    let name = text.extracting(start..<start + Int(field.nameLength))
    for other in others?.names ?? [] where name.equalsIgnoringCase(other.span) { return true }
    return false
  }

  /// The wishes of a line that aren't done. `critical` is none of its own.
  private func appendPrivacy(_ text: Span<UInt8>, _ line: ByteRange, to output: inout [UInt8]) {
    guard !touched.contains(.proxyRequire) else { return }
    var values = PrivacyRequest.Values(line)
    var isFirst = true
    while let value = values.next(text) {
      let word = text.extracting(value.positions)
      if word.equalsIgnoringCase("id") { continue }
      output.append(isFirst ? "Privacy: " : ";")
      output.append(word)
      isFirst = false
    }
    if !isFirst { output.append("\r\n") }
  }
}

extension IdentityEdits {
  /// Writes a part of a message's header that begins and ends between lines, with the changes.
  func appendHeader(
    _ message: Message, _ text: Span<UInt8>, _ part: Range<Int>, to output: inout [UInt8]
  ) {
    var run = part.lowerBound
    if !touched.isEmpty {
      let fields = message.fields
      for index in fields.indices
      where touched.contains(fields[index].name) && Int(fields[index].start) >= run
        && Int(fields[index].start) < part.upperBound
      {
        run = append(message, text, index, from: run, to: &output)
      }
    }
    output.append(text.extracting(run..<part.upperBound))
  }
}
