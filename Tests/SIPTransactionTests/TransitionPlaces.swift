import SIPTransaction
import Structures

extension InviteClientTransaction: Enumerable {
  enum Place: CaseIterable { case calling, proceeding, completed, accepted, terminated }
  enum Input: CaseIterable { case provisional, success, failure, early, first, all, transportFailed, abandon }

  static func place(of state: State) -> Place {
    switch state {
    case .calling: .calling
    case .proceeding: .proceeding
    case .completed: .completed
    case .accepted: .accepted
    case .terminated: .terminated
    }
  }

  static func script(to place: Place, isReliable: Bool) -> Script<Self> {
    let script = Script.inviteClient(isReliable: isReliable)
    switch place {
    case .calling: break
    case .proceeding: _ = script.receives(100)
    case .completed: _ = script.receives(486)
    case .accepted: _ = script.receives(200)
    case .terminated: _ = script.transportFailed()
    }
    return script
  }

  static func apply(_ input: Input, to script: Script<Self>) -> TransactionActions {
    switch input {
    case .provisional: script.receives(180)
    case .success: script.receives(200)
    case .failure: script.receives(486)
    case .early: script.early()
    case .first: script.first()
    case .all: script.all()
    case .transportFailed: script.transportFailed()
    case .abandon: script.abandon()
    }
  }
}

extension NonInviteClientTransaction: Enumerable {
  enum Place: CaseIterable { case trying, proceeding, completed, terminated }
  enum Input: CaseIterable { case provisional, success, failure, early, first, all, transportFailed }

  static func place(of state: State) -> Place {
    switch state {
    case .trying: .trying
    case .proceeding: .proceeding
    case .completed: .completed
    case .terminated: .terminated
    }
  }

  static func script(to place: Place, isReliable: Bool) -> Script<Self> {
    let script = Script.nonInviteClient(isReliable: isReliable)
    switch place {
    case .trying: break
    case .proceeding: _ = script.receives(100)
    case .completed: _ = script.receives(200)
    case .terminated: _ = script.transportFailed()
    }
    return script
  }

  static func apply(_ input: Input, to script: Script<Self>) -> TransactionActions {
    switch input {
    case .provisional: script.receives(100)
    case .success: script.receives(200)
    case .failure: script.receives(404)
    case .early: script.early()
    case .first: script.first()
    case .all: script.all()
    case .transportFailed: script.transportFailed()
    }
  }
}

extension InviteServerTransaction: Enumerable {
  /// `unanswered` is proceeding before any response.
  enum Place: CaseIterable { case unanswered, proceeding, completed, confirmed, accepted, terminated }
  enum Input: CaseIterable { case invite, ack, provisional, success, failure, early, first, all, transportFailed }

  static func place(of state: State) -> Place {
    switch state {
    case .proceeding(hasResponse: false): .unanswered
    case .proceeding(hasResponse: true): .proceeding
    case .completed: .completed
    case .confirmed: .confirmed
    case .accepted: .accepted
    case .terminated: .terminated
    }
  }

  static func script(to place: Place, isReliable: Bool) -> Script<Self> {
    let script = Script.inviteServer(isReliable: isReliable)
    switch place {
    case .unanswered: break
    case .proceeding: _ = script.responds(180)
    case .completed: _ = script.responds(486)
    case .confirmed:
      _ = script.responds(486)
      _ = script.receivesAck()
    case .accepted: _ = script.responds(200)
    case .terminated:
      _ = script.responds(486)
      _ = script.all()
    }
    return script
  }

  static func apply(_ input: Input, to script: Script<Self>) -> TransactionActions {
    switch input {
    case .invite: script.receivesInvite()
    case .ack: script.receivesAck()
    case .provisional: script.responds(183)
    case .success: script.responds(200)
    case .failure: script.responds(603)
    case .early: script.early()
    case .first: script.first()
    case .all: script.all()
    case .transportFailed: script.transportFailed()
    }
  }
}

extension NonInviteServerTransaction: Enumerable {
  enum Place: CaseIterable { case trying, proceeding, completed, terminated }
  /// `trying100` and `timeout408` are the two responses for which RFC 4320 §4 has rules of their own.
  enum Input: CaseIterable {
    case request, trying100, provisional, success, failure, timeout408, early, first, all, transportFailed
  }

  static func place(of state: State) -> Place {
    switch state {
    case .trying: .trying
    case .proceeding: .proceeding
    case .completed: .completed
    case .terminated: .terminated
    }
  }

  static func script(to place: Place, isReliable: Bool) -> Script<Self> {
    let script = Script.nonInviteServer(isReliable: isReliable)
    switch place {
    case .trying: break
    case .proceeding: _ = script.first()
    case .completed: _ = script.responds(200)
    case .terminated: _ = script.all()
    }
    return script
  }

  static func apply(_ input: Input, to script: Script<Self>) -> TransactionActions {
    switch input {
    case .request: script.receivesRequest()
    case .trying100: script.responds(100)
    case .provisional: script.responds(183)
    case .success: script.responds(200)
    case .failure: script.responds(404)
    case .timeout408: script.responds(408)
    case .early: script.early()
    case .first: script.first()
    case .all: script.all()
    case .transportFailed: script.transportFailed()
    }
  }
}
