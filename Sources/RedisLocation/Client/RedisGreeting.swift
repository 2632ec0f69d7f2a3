import Structures

/// What a link begins its connections with.
struct RedisGreeting {
  var user: [UInt8]?
  var password: [UInt8]?
  var database = 0
  var clientName: [UInt8] = []
  /// Whether the server must say that it is a master.
  var mustBeMaster = false
  /// What is subscribed to; nothing: the connection is for commands.
  var channels: [[UInt8]] = []

  var steps: [RedisLinkMachine.GreetingStep] {
    var steps: [RedisLinkMachine.GreetingStep] = []
    if password != nil { steps.append(.authenticate) }
    if database != 0, channels.isEmpty { steps.append(.select) }
    if !clientName.isEmpty { steps.append(.name) }
    if mustBeMaster { steps.append(.role) }
    return steps + [.ping] + channels.map { _ in .subscribe }
  }
}

extension RedisGreeting {
  /// Writes the commands of ``steps`` in their order.
  func write(to output: inout [UInt8]) {
    var writer = RedisCommandWriter()
    let (password, clientName) = (password ?? [], clientName)
    for step in steps {
      switch step {
      case .authenticate:
        writer.begin(user == nil ? 2 : 3)
        writer.argument("AUTH")
        if let user { writer.argument(user.span) }
        writer.argument(password.span)
      case .select:
        writer.begin(2)
        writer.argument("SELECT")
        writer.argument(decimal: Int64(database))
      case .name:
        writer.begin(3)
        writer.argument("CLIENT")
        writer.argument("SETNAME")
        writer.argument(clientName.span)
      case .role:
        writer.begin(1)
        writer.argument("ROLE")
      case .ping:
        writer.begin(1)
        writer.argument("PING")
      case .subscribe: break
      }
    }
    // One command, and a reply for each channel.
    if !channels.isEmpty {
      writer.begin(1 + channels.count)
      writer.argument("SUBSCRIBE")
      for channel in channels { writer.argument(channel.span) }
    }
    let commands = writer.octets
    output.append(commands.span)
  }
}
