import Logging
import Reactor
import Structures
import TLSEngine

/// Tells administrators of lists of revoked certificates that grow old, once a day for each.
final class ListAges: DeadlineOwner {
  /// How often it is looked.
  private static let interval = Duration.seconds(60)

  private let loop: EventLoop
  var log: Logger
  private let speaksForNode: Bool
  private var lists: [RevocationList] = []
  private var deadline: DeadlineID?
  /// What was told of each list last, by file and issuer.
  private var told: [String: RevocationList.Age] = [:]

  init(loop: EventLoop, log: Logger, speaksForNode: Bool) {
    self.loop = loop
    self.log = log
    self.speaksForNode = speaksForNode
  }

  /// When the first of the lists expires, in seconds since 1970; 0 without any.
  var nextUpdate: Int64 { lists.compactMap(\.nextUpdate).min() ?? 0 }

  /// These lists are in force now.
  func adopt(_ lists: [RevocationList]) {
    self.lists = lists
    look()
  }

  func deadlinePassed(_: DeadlineID) { look() }

  private func look() {
    guard speaksForNode else { return }
    let deadline = deadline ?? loop.addDeadline(self)
    self.deadline = deadline
    if lists.isEmpty { loop.cancel(deadline) } else { loop.schedule(deadline, at: loop.now + Self.interval) }
    let now = System.wallSeconds
    var seen: [String: RevocationList.Age] = [:]
    for list in lists {
      let key = "\(list.file) \(list.issuer)"
      let age = list.age(at: now)
      if seen.updateValue(age, forKey: key) == nil, told[key] != age { tell(list, age) }
    }
    told = seen
  }

  private func tell(_ list: RevocationList, _ age: RevocationList.Age) {
    let subject = "\(list.file): the CRL of \(list.issuer)"
    switch age {
    case .fresh: break
    case .ending(let days):
      let time = days == 0 ? "within a day" : "in \(days) \(days == 1 ? "day" : "days")"
      log.warning("\(subject) expires \(time): put the next one there")
    case .expired(let days):
      log.error("\(subject) has expired\(days == 0 ? "" : " \(days) days ago"): put the next one there")
    }
  }
}
