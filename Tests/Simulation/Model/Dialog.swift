/// One side's view of a dialog (RFC 3261 §12).
final class Dialog {
  let callID: String
  let localTag: String
  let remoteTag: String
  /// From and To of our requests, with their tags.
  let local: String
  let remote: String
  var remoteTarget: String
  /// The route set, in the order of our Route (RFC 3261 §12.1).
  let routes: [String]
  var cseq: Int
  /// Over which connection it was made.
  let connection: Connection
  /// Whether BYE was sent or received, or the other side knows nothing of it.
  var isOver = false
  /// Whether the callee may send BYE: its 2xx was acknowledged (RFC 3261 §15).
  var isAcknowledged: Bool
  /// Whether our own re-INVITE waits for its answer.
  var isInviting = false

  /// The caller's side, by the 2xx.
  init(caller response: Packet, cseq: Int, over connection: Connection) {
    callID = response.callID
    localTag = response.fromTag
    remoteTag = response.toTag
    local = response.value("From")
    remote = response.value("To")
    remoteTarget = Packet.uri(response.value("Contact"))
    routes = response.values("Record-Route").reversed()
    self.cseq = cseq
    self.connection = connection
    isAcknowledged = true
  }

  /// The callee's side, by the INVITE and the tag of its answer.
  init(callee request: Packet, tag: String, over connection: Connection) {
    callID = request.callID
    localTag = tag
    remoteTag = request.fromTag
    local = request.value("To") + ";tag=\(tag)"
    remote = request.value("From")
    remoteTarget = Packet.uri(request.value("Contact"))
    routes = request.values("Record-Route")
    cseq = 0
    self.connection = connection
    isAcknowledged = false
  }

  /// Whether a request that came belongs to it.
  func matches(_ request: Packet) -> Bool {
    request.callID == callID && request.toTag == localTag && request.fromTag == remoteTag
  }
}
