/// The command line of a worker: who it is and at which numbers it finds what it inherits.
///
/// `apus-worker --configuration-fd N --control-fd N --slot N --generation N --epoch HEX --listeners N,N,…`
public struct WorkerArguments: Sendable, Equatable {
  /// The descriptor of the sealed memory that holds the ``ConfigurationBundle``; read it from offset 0 (pread).
  public var configuration: Int32
  /// The descriptor of the control channel; see ``ControlMessage``.
  public var control: Int32
  /// The slot, from 0.
  public var slot: UInt16
  /// Which process of the slot this is, from 1.
  public var generation: UInt16
  /// The random number of the supervisor's start.
  public var epoch: UInt64
  /// The bound sockets, in the order of ``NodeConfiguration/listen``.
  public var listeners: [Int32]

  /// Arguments from their parts.
  public init(
    configuration: Int32, control: Int32, slot: UInt16, generation: UInt16, epoch: UInt64, listeners: [Int32]
  ) {
    self.configuration = configuration
    self.control = control
    self.slot = slot
    self.generation = generation
    self.epoch = epoch
    self.listeners = listeners
  }

  /// The arguments behind the name of the program.
  public var words: [String] {
    [
      "--configuration-fd", "\(configuration)", "--control-fd", "\(control)", "--slot", "\(slot)",
      "--generation", "\(generation)", "--epoch", String(epoch, radix: 16),
      "--listeners", listeners.map(String.init).joined(separator: ","),
    ]
  }

  /// Reads ``words``, in any order; nil when one is missing, unknown, given twice or no number.
  public init?(_ words: [String]) {
    guard words.count == 12 else { return nil }
    var values: [String: String] = [:]
    for index in stride(from: 0, to: words.count, by: 2) {
      guard values.updateValue(words[index + 1], forKey: words[index]) == nil else { return nil }
    }
    guard let configuration = values["--configuration-fd"].flatMap({ Int32($0) }),
      let control = values["--control-fd"].flatMap({ Int32($0) }),
      let slot = values["--slot"].flatMap({ UInt16($0) }),
      let generation = values["--generation"].flatMap({ UInt16($0) }),
      let epoch = values["--epoch"].flatMap({ UInt64($0, radix: 16) }), let list = values["--listeners"]
    else { return nil }
    let listeners = list.split(separator: ",", omittingEmptySubsequences: false).map { Int32($0) }
    guard !listeners.contains(nil), configuration >= 0, control >= 0 else { return nil }
    self.init(
      configuration: configuration, control: control, slot: slot, generation: generation, epoch: epoch,
      listeners: listeners.compactMap(\.self))
  }
}
