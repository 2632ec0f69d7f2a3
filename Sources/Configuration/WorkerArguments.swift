/// The command line of a worker: who it is and at which numbers it finds what it inherits.
///
/// `apus-worker --configuration-fd N --control-fd N --slot N --slots N --generation N --epoch HEX --hand-over-fd N --listeners N,N,…
/// --link-fd N --link-directory PATH --page-fd N --redis PATH`
public struct WorkerArguments: Sendable, Equatable {
  /// The descriptor of the sealed memory that holds the ``ConfigurationBundle``; read it from offset 0 (pread).
  public var configuration: Int32
  /// The descriptor of the control channel; see ``ControlMessage``.
  public var control: Int32
  /// The slot, from 0.
  public var slot: UInt16
  /// How many slots the node has, at least 1: as long as the supervisor lives.
  public var slots: UInt16
  /// Which process of the slot this is, from 1.
  public var generation: UInt16
  /// The random number of the supervisor's start.
  public var epoch: UInt64
  /// The bound sockets, in the order of ``NodeConfiguration/listen``.
  public var listeners: [Int32]
  /// The descriptor of the slot's listening SOCK_SEQPACKET socket, for links from other slots; -1: none, in tests.
  public var link: Int32
  /// The directory in which the link listener of each slot is found by the slot's number, as the working directory sees it.
  public var linkDirectory: String
  /// The descriptor of the memory that holds the statistics page of every slot; -1: none, in tests.
  public var page: Int32
  /// The Unix socket of the node's private Redis; empty when the settings name another one.
  public var redis: String
  /// The descriptor of the socket to the process that the slot has so far, which hands over to this one; -1: there is none.
  public var handOver: Int32

  /// Arguments from their parts.
  public init(
    configuration: Int32, control: Int32, slot: UInt16, slots: UInt16 = 1, generation: UInt16, epoch: UInt64,
    listeners: [Int32], link: Int32 = -1, linkDirectory: String = "", page: Int32 = -1, redis: String = "",
    handOver: Int32 = -1
  ) {
    self.configuration = configuration
    self.control = control
    self.slot = slot
    self.slots = slots
    self.generation = generation
    self.epoch = epoch
    self.listeners = listeners
    self.link = link
    self.linkDirectory = linkDirectory
    self.page = page
    self.redis = redis
    self.handOver = handOver
  }

  /// The arguments behind the name of the program.
  public var words: [String] {
    [
      "--configuration-fd", "\(configuration)", "--control-fd", "\(control)", "--slot", "\(slot)", "--slots",
      "\(slots)",
      "--generation", "\(generation)", "--epoch", String(epoch, radix: 16),
      "--hand-over-fd", "\(handOver)",
      "--listeners", listeners.map(String.init).joined(separator: ","),
      "--link-fd", "\(link)", "--link-directory", linkDirectory, "--page-fd", "\(page)", "--redis", redis,
    ]
  }

  /// Reads ``words``, in any order; nil when one is missing, unknown, given twice, no number or out of range.
  public init?(_ words: [String]) {
    // A supervisor of the version before knows nothing of handing over.
    guard words.count == 24 || words.count == 22 else { return nil }
    var values: [String: String] = [:]
    for index in stride(from: 0, to: words.count, by: 2) {
      guard values.updateValue(words[index + 1], forKey: words[index]) == nil else { return nil }
    }
    guard let configuration = values["--configuration-fd"].flatMap({ Int32($0) }),
      let control = values["--control-fd"].flatMap({ Int32($0) }),
      let slot = values["--slot"].flatMap({ UInt16($0) }), let slots = values["--slots"].flatMap({ UInt16($0) }),
      let generation = values["--generation"].flatMap({ UInt16($0) }),
      let epoch = values["--epoch"].flatMap({ UInt64($0, radix: 16) }), let list = values["--listeners"],
      let link = values["--link-fd"].flatMap({ Int32($0) }), let linkDirectory = values["--link-directory"],
      let page = values["--page-fd"].flatMap({ Int32($0) }), let redis = values["--redis"],
      let handOver = words.count == 22 ? -1 : values["--hand-over-fd"].flatMap({ Int32($0) })
    else { return nil }
    let listeners = list.split(separator: ",", omittingEmptySubsequences: false).map { Int32($0) }
    guard !listeners.contains(nil), configuration >= 0, control >= 0, slot < slots, link >= -1, page >= -1,
      handOver >= -1
    else { return nil }
    self.init(
      configuration: configuration, control: control, slot: slot, slots: slots, generation: generation, epoch: epoch,
      listeners: listeners.compactMap(\.self), link: link, linkDirectory: linkDirectory, page: page, redis: redis,
      handOver: handOver)
  }
}
