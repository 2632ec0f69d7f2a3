import Structures

/// A request that a phone made, and what became of it.
final class RequestRecord {
  let method: String
  let callID: String
  let branch: String
  /// The tag of the other side, in a dialog.
  let remoteTag: String
  /// Whom it is for.
  let callee: String
  let phone: Phone
  let connection: Connection
  let dialog: Dialog?
  let at: Instant
  /// When the server first got it, and its CANCEL.
  var reachedServer: Instant?
  var cancelReachedServer: Instant?
  /// What the server sent as final responses, copies included.
  var finals: [FinalSent] = []
  /// Whether the worker that had it was killed.
  var isOrphan = false
  /// How often its phone was told a final response other than 2xx.
  var told = 0
  /// What the server made of it.
  var branches: [BranchRecord] = []

  /// A final response on its way to the caller.
  struct FinalSent {
    let status: Int
    let tag: String
    let octets: [UInt8]
    let at: Instant
  }

  init(_ request: Packet, phone: Phone, over connection: Connection, in dialog: Dialog?, at now: Instant) {
    method = request.method
    callID = request.callID
    branch = request.branch
    remoteTag = request.toTag
    callee = request.user("To")
    self.phone = phone
    self.connection = connection
    self.dialog = dialog
    at = now
  }

  var isInvite: Bool { method == "INVITE" }
}

/// A request as the server sent it to somebody.
final class BranchRecord {
  let branch: String
  let request: RequestRecord
  /// Where to; nil for an address at which no phone is.
  let connection: Connection?
  let at: Instant
  var reachedPhone: Instant?
  /// When the server first got a response, of whatever kind.
  var firstAnswerAtServer: Instant?
  /// When the phone last answered provisionally, other than with 100.
  var lastProvisional: Instant?
  /// The final response that the phone gave.
  var final: (status: Int, tag: String, at: Instant)?
  /// When the server sent CANCEL, and it arrived.
  var cancelSent: Instant?
  var cancelled: Instant?

  /// Whether the server had it as an open request when it first got a response: Timers B and F had not fired.
  var isAnsweredInTime: Bool {
    firstAnswerAtServer.map { $0 - at < AgentClientTransaction.timeout } ?? false
  }

  init(_ branch: String, of request: RequestRecord, to connection: Connection?, at now: Instant) {
    self.branch = branch
    self.request = request
    self.connection = connection
    at = now
  }
}

/// A call that a phone took.
struct Acceptance {
  let branch: BranchRecord
  let phone: Phone
  let at: Instant
  let isOverGoodFlow: Bool
}
