import SIPServer
import Structures
import Testing

/// What one worker has for others of its node.
enum ForOther {
  case message(StreamFlow, [UInt8], tag: UInt64)
  case passing(ServerActions.Passing, [UInt8])
  case offer(ServerActions.Offer, [UInt8])
  case trust(StreamFlow)
}

/// Several workers of one node, as a test joins them: what is for another is carried over by ``exchange()``, and all share one location.
final class LinkedNodes {
  let nodes: [TestNode]
  /// Workers that are there but don't answer.
  var deaf: Set<Int> = []
  /// Whether of a connection that is gone the failure is heard before its end, and not the other way about.
  var failsFirst = false
  /// What was carried over.
  private(set) var carried: [ForOther] = []

  init(_ count: Int = 2, _ change: (inout ServerSettings) -> Void = { _ in }) {
    nodes = (0..<count).map { TestNode(seed: UInt64($0 + 1), slot: UInt16($0), change) }
    for node in nodes { node.core.isAlone = false }
  }

  subscript(index: Int) -> TestNode { nodes[index] }

  /// Registers a user over a peer of a worker, for all of them.
  func register(_ user: String, _ peer: TestNode.Peer, at index: Int) {
    nodes[index].register(user, peer)
    share(index)
  }

  /// What one of them has stored becomes what all have.
  func share(_ index: Int) {
    for node in nodes where node !== nodes[index] { node.location = nodes[index].location }
  }

  /// Carries over what is to be carried, until nothing is left.
  func exchange() {
    while let node = nodes.first(where: { !$0.outgoing.isEmpty }) {
      let next = node.outgoing.removeFirst()
      carried.append(next)
      carry(next, from: node)
    }
  }

  /// Lets time pass for all, in steps.
  func advance(_ duration: Duration) {
    let step = Duration.milliseconds(10)
    var left = duration
    while left > .zero {
      for node in nodes { node.advance(min(step, left)) }
      exchange()
      left -= step
    }
  }

  /// Lets the location service answer, and what comes of it be carried over.
  func settle() {
    exchange()
    advance(.milliseconds(40))
  }

  func expectNothingLeft(_ location: SourceLocation = #_sourceLocation) {
    advance(.seconds(1))
    for node in nodes {
      node.expectNothingLeft(location)
      exchange()
    }
    for node in nodes { node.expectNothingLeft(location) }
  }

  private func carry(_ item: ForOther, from node: TestNode) {
    switch item {
    case .message(let flow, let octets, let tag):
      guard !deaf.contains(Int(flow.slot)), !nodes[Int(flow.slot)].deliver(octets, over: flow) else { return }
      if failsFirst, tag != 0 {
        node.input { core, now, actions in core.transportFailed(tag, at: now, actions: &actions) }
      }
      node.input { core, now, actions in core.connectionClosed(flow, at: now, actions: &actions) }
      if !failsFirst, tag != 0 {
        node.input { core, now, actions in core.transportFailed(tag, at: now, actions: &actions) }
      }
    case .passing(let passing, let octets):
      guard !deaf.contains(Int(passing.slot)) else { return }
      nodes[Int(passing.slot)].send(octets: octets, from: TestNode.Peer(name: "passed", flow: passing.flow))
    case .offer(let offer, let octets):
      let others = nodes.indices.filter { nodes[$0] !== node }
      node.core.offered(offer.query, toOthers: others.count)
      for index in others where !deaf.contains(index) {
        var isTaken = false
        nodes[index].input { core, now, actions in
          isTaken = core.takesOffer(octets.span, over: offer.flow, at: now, actions: &actions)
        }
        node.input { core, now, actions in
          core.offerAnswered(offer.query, isTaken: isTaken, at: now, actions: &actions)
        }
      }
    case .trust(let flow):
      for other in nodes where other !== node { other.core.connectionTrusted(flow) }
    }
  }
}
