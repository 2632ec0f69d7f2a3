import Structures

/// What happens in one run: who there is, what the network is like, what the phones do when, and which connections end.
struct Story {
  let world: World

  private static let users = ["alice", "bob", "carol"]

  func play() {
    setUp()
    if world.isKilling, world.workerCount > 1 { planKills() }
    world.run(until: world.now + .seconds(8))
    let length = Int.random(in: 10...90, using: &world.random)
    for _ in 0..<Int.random(in: 4...12, using: &world.random) {
      world.after(world.random.milliseconds(0...length * 1_000)) { act() }
    }
    world.run(until: world.now + .seconds(length))
    // Nothing new begins; what was begun goes on to its end.
    world.isEnding = true
    world.run(until: world.now + .seconds(300))
    for phone in world.phones {
      for dialog in phone.dialogs { phone.hangUp(dialog) }
    }
    let end = world.now
    world.run(until: world.now + .seconds(400))
    world.witness.judge(end: end)
    world.server.expectNothingLeft()
  }

  // MARK: Before

  private func setUp() {
    let random = { (percent: Int) in world.random.chance(percent) }
    if random(60) {
      world.conditions.loss = world.random.pick([2, 10, 30], otherwise: 0)
      world.conditions.duplication = world.random.pick([0, 5, 20], otherwise: 0)
      world.conditions.lateness = world.random.pick([0, 5, 20], otherwise: 0)
      world.conditions.delay = world.random.pick([1...5, 1...150, 100...400], otherwise: 1...5)
    }
    world.conditions.location = world.random.pick([0...0, 0...20, 0...2_000], otherwise: 0...20)
    for (index, user) in Self.users.enumerated() {
      for _ in 0..<Int.random(in: 1...(index == 1 ? 3 : 2), using: &world.random) { addPhone(user) }
    }
  }

  private func addPhone(_ user: String) {
    var habits = Phone.Habits()
    habits.isBehindNAT = world.random.chance(50)
    habits.hasStableContact = habits.isBehindNAT && world.random.chance(50)
    habits.hasInstance = world.random.chance(40)
    habits.q = world.random.chance(40) ? Int.random(in: 1...9, using: &world.random) : nil
    habits.expires = world.random.pick([3_600, 3_600, 60], otherwise: 3_600)
    let phone = Phone(
      world: world, number: world.phones.count + 1, user: user,
      transport: world.random.pick([.tls, .tls, .tcp, .udp, .udp], otherwise: .tls), habits: habits)
    world.phones.append(phone)
    // Some come later, some never.
    guard world.random.chance(95) else { return }
    let delay = world.random.chance(80) ? world.random.milliseconds(0...1_000) : world.random.milliseconds(0...40_000)
    world.after(delay) { phone.connect() }
  }

  // MARK: Meanwhile

  private func act() {
    guard let phone = world.phones.randomElement(using: &world.random) else { return }
    let callee = world.random.pick(Self.users + Self.users + ["nobody"], otherwise: "bob")
    switch world.random.weighted([45, 20, 20, 3, 3, 3]) {
    case 0: phone.call(callee, patience: patience())
    case 1: phone.ask(world.random.pick(["MESSAGE", "OPTIONS", "PUBLISH", "FOO"], otherwise: "MESSAGE"), to: callee)
    case 2: if let connection = phone.current { world.end(connection, breakage()) }
    case 3: phone.register()
    case 4: phone.register(expires: 0)
    default: silence()
    }
  }

  /// The location service says nothing for a while.
  private func silence() {
    let end = world.now + world.random.milliseconds(100...15_000)
    world.server.locationReturns = end
    world.witness.silences.append(world.now..<end)
  }

  /// Some workers are killed.
  private func planKills() {
    for _ in 0..<Int.random(in: 1...3, using: &world.linkRandom) {
      let slot = UInt16(Int.random(in: 0..<world.workerCount, using: &world.linkRandom))
      let gap = world.linkRandom.milliseconds(0...1_000)
      world.after(world.linkRandom.milliseconds(0...90_000)) { world.server.kill(slot, until: world.now + gap) }
    }
  }

  /// When a caller gives up.
  private func patience() -> Duration? {
    switch world.random.weighted([50, 25, 25]) {
    case 0: nil
    case 1: world.random.milliseconds(0...4_000)
    default: world.random.milliseconds(4_000...60_000)
    }
  }

  private func breakage() -> Breakage { world.random.pick(Breakage.allCases, otherwise: .reset) }
}
