import CLoadGenerator
import Reactor
import Structures

/// Whether this machine's limits and ports suffice for a plan.
public enum LimitsCheck {
  /// Descriptors that a process needs besides its connections.
  private static let spareDescriptors = 64

  /// Raises the limit of descriptors, then returns one sentence with a remedy for each limit that is too low.
  public static func problems(_ plan: LoadPlan) -> [String] {
    _ = try? System.raiseDescriptorLimit()
    let connections = (plan.users.count + plan.usersPerConnection - 1) / plan.usersPerConnection * plan.flows
    let ports = ProcessFiles.read("/proc/sys/net/ipv4/ip_local_port_range").flatMap(portRange) ?? 32_768...60_999
    return problems(
      connections: connections, processes: plan.processes, sources: max(1, plan.sources.count),
      targets: plan.targets.count, ports: ports, descriptors: Int(clamping: cload_descriptor_limit(false)))
  }

  /// The two numbers of `ip_local_port_range`.
  static func portRange(_ text: [UInt8]) -> ClosedRange<Int>? {
    let numbers = text.split(whereSeparator: { $0 <= 0x20 }).compactMap { Int(String(decoding: $0, as: UTF8.self)) }
    guard numbers.count == 2, numbers[0] <= numbers[1] else { return nil }
    return numbers[0]...numbers[1]
  }

  static func problems(
    connections: Int, processes: Int, sources: Int, targets: Int, ports: ClosedRange<Int>, descriptors: Int
  ) -> [String] {
    var problems: [String] = []
    let needed = (connections + processes - 1) / processes + spareDescriptors
    if needed > descriptors {
      problems.append(
        "each process needs \(needed) descriptors and may have \(descriptors): raise the hard limit (ulimit -Hn, "
          + "LimitNOFILE) or use --processes \((connections + descriptors - spareDescriptors - 1) / max(1, descriptors - spareDescriptors))"
      )
    }
    let available = ports.count * sources * targets
    if connections > available {
      let wanted = (connections + ports.count * targets - 1) / (ports.count * targets)
      problems.append(
        "\(connections) connections need more than the \(available) ports that \(sources) source address(es) have: "
          + "give a range of at least \(wanted) with --source (on loopback, 127.1.0.0/24) or widen "
          + "net.ipv4.ip_local_port_range, now \(ports.lowerBound) to \(ports.upperBound)")
    }
    return problems
  }
}
