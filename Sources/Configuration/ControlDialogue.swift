/// A question of an administrator on its way to a worker, in the octets of ``ControlMessage/question(id:octets:)``.
public struct ControlQuestion: Sendable, Equatable {
  /// See ``ControlVerb/name``.
  public var verb: String
  /// The parameters by name.
  public var values: [String: String]
  /// Where to go on; 0 at first, then what the last page said.
  public var cursor: UInt64

  /// A question from its parts.
  public init(verb: String, values: [String: String], cursor: UInt64 = 0) {
    self.verb = verb
    self.values = values
    self.cursor = cursor
  }

  /// The question as octets.
  public var octets: [UInt8] {
    var writer = OctetWriter()
    writer.write(number: cursor)
    writer.write(text: verb)
    writer.write(count: values.count)
    for (name, value) in values.sorted(by: { $0.key < $1.key }) {
      writer.write(text: name)
      writer.write(text: value)
    }
    return writer.octets
  }

  /// Reads a question; nil when the octets are none.
  public init?(_ octets: [UInt8]) {
    var reader = OctetReader(octets)
    guard let cursor = reader.readNumber(), let verb = reader.readText(),
      let count = reader.readCount(ofElementsWith: 8)
    else { return nil }
    var values: [String: String] = [:]
    for _ in 0..<count {
      guard let name = reader.readText(), let value = reader.readText(),
        values.updateValue(value, forKey: name) == nil
      else { return nil }
    }
    guard reader.remaining == 0 else { return nil }
    self.init(verb: verb, values: values, cursor: cursor)
  }
}

/// One page of a worker's answer, in the octets of ``ControlMessage/answer(id:isLast:octets:)``.
public enum ControlAnswer: Sendable, Equatable {
  /// Objects of JSON, joined by commas; where the next page begins, nil when this is the last.
  case rows(json: [UInt8], next: UInt64?)
  /// Nothing was done.
  case failed(ControlProblem)

  /// More octets than that are no page: a datagram must hold it with what stands around it.
  public static let maximumRows = 60_000

  /// The page as octets.
  public var octets: [UInt8] {
    var writer = OctetWriter()
    switch self {
    case .rows(let json, let next):
      writer.write(octet: next == nil ? 0 : 1)
      writer.write(number: next ?? 0)
      writer.write(block: json)
    case .failed(let problem):
      writer.write(octet: 2)
      writer.write(octet: UInt8(clamping: problem.status.rawValue))
      writer.write(text: problem.problem)
      writer.write(text: problem.remedy)
    }
    return writer.octets
  }

  /// Reads a page; nil when the octets are none.
  public init?(_ octets: [UInt8]) {
    var reader = OctetReader(octets)
    switch reader.readOctet() {
    case let kind? where kind <= 1:
      guard let next = reader.readNumber(), let json = reader.readBlock(), kind == 1 || next == 0 else { return nil }
      self = .rows(json: json, next: kind == 1 ? next : nil)
    case 2:
      guard let status = reader.readOctet().flatMap({ ControlProblem.Status(rawValue: Int32($0)) }),
        let problem = reader.readText(), let remedy = reader.readText()
      else { return nil }
      self = .failed(ControlProblem(status, problem, remedy: remedy))
    default: return nil
    }
    guard reader.remaining == 0 else { return nil }
  }
}
