// swift-tools-version: 6.2
import PackageDescription

// Debug builds, and so all tests, check at run time that accesses to a property don't overlap; release builds leave the check
// out, which would cost a seventh of the instructions of a message (benchmarks/README.md).
let settings: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]
let warnings: [CSetting] = [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]

/// A library target of this package; the layer order is the order below.
func layer(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(
  _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = [], resources: [Resource] = []
) -> Target {
  .testTarget(
    name: name, dependencies: dependencies, path: "Tests/\(name)", exclude: exclude, resources: resources,
    swiftSettings: settings)
}

let package = Package(
  name: "apus",
  products: [
    .executable(name: "apus", targets: ["apus"]),
    .executable(name: "apus-worker", targets: ["apus-worker"]),
    .executable(name: "apus-admin", targets: ["apus-admin"]),
    .executable(name: "apus-bench", targets: ["apus-bench"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
  ],
  targets: [
    // C access: module maps and thin wrappers.
    .target(name: "CLinux", cSettings: warnings),
    .target(
      name: "COpenSSL", cSettings: warnings,
      linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
    .target(
      name: "CTLSRecords", cSettings: warnings,
      linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
    .target(name: "CHiredis", cSettings: warnings, linkerSettings: [.linkedLibrary("hiredis")]),

    .target(
      name: "CLoadGenerator", dependencies: ["CLinux"], cSettings: warnings,
      linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto"), .linkedLibrary("m")]),

    // Pure: octets, time and decisions as values. Standard library only.
    layer("Structures"),
    layer("SIPMessage", ["Structures"]),
    layer("SIPTransaction", ["Structures", "SIPMessage"]),
    layer("SIPServer", ["Structures", "SIPMessage", "SIPTransaction"]),
    layer("Configuration", ["Structures"]),
    // ---------------------------------------------------------------- purity line
    // Shell: input and output, no SIP rules.
    layer("Reactor", ["Structures", "CLinux"]),
    layer("TLSEngine", ["Structures", "COpenSSL", "CTLSRecords"]),
    layer("Transport", ["Structures", "SIPMessage", "Reactor", "TLSEngine"]),
    layer("Cluster", ["Structures", "Reactor", "CLinux"]),
    layer("RedisLocation", ["Structures", "SIPServer", "Reactor", "TLSEngine", "CHiredis"]),
    layer("Log", ["CLinux", .product(name: "Logging", package: "swift-log")]),

    // Wiring: processes.
    layer(
      "Worker",
      [
        "Structures", "SIPMessage", "SIPTransaction", "SIPServer", "Configuration", "Reactor",
        "TLSEngine", "Transport", "Cluster", "RedisLocation", "CLinux", "Log",
        .product(name: "Logging", package: "swift-log"),
      ]),
    layer(
      "Admin",
      [
        "Structures", "Configuration", "Reactor", "CLinux", "Log",
        .product(name: "Logging", package: "swift-log"),
      ]),
    layer(
      "Supervisor",
      [
        "Structures", "Configuration", "Reactor", "CLinux", "Log",
        .product(name: "Logging", package: "swift-log"), .product(name: "Yams", package: "Yams"),
      ]),
    .executableTarget(
      name: "apus",
      dependencies: [
        "Supervisor", "Configuration", "TLSEngine", "Structures",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Yams", package: "Yams"),
      ], swiftSettings: settings),
    .executableTarget(
      name: "apus-worker", dependencies: ["Worker"], swiftSettings: settings),
    .executableTarget(
      name: "apus-admin", dependencies: ["Admin"], swiftSettings: settings),

    // Measuring: a load generator that shares no reader and no writer of messages with the server.
    layer(
      "LoadGenerator",
      [
        "Structures", "Reactor", "CLinux", "CLoadGenerator",
        .product(name: "Histogram", package: "hdrhistogram-swift"), .product(name: "Yams", package: "Yams"),
      ]),
    .executableTarget(
      name: "apus-bench",
      dependencies: ["LoadGenerator", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      swiftSettings: settings),
    // Instruction and allocation budgets: benchmarks/micro/run.
    .target(
      name: "CAllocationCount", path: "benchmarks/micro/Sources/CAllocationCount", cSettings: warnings),
    .executableTarget(
      name: "micro",
      dependencies: ["Structures", "SIPMessage", "SIPTransaction", "SIPServer", "TLSEngine", "CAllocationCount"],
      path: "benchmarks/micro/Sources/micro", swiftSettings: settings),

    // What a frame costs that crosses from one worker to another: benchmarks/crossing/run.
    .executableTarget(
      name: "crossing", dependencies: ["Structures", "Reactor", "CLinux", "Cluster"],
      path: "benchmarks/crossing/Sources",
      swiftSettings: settings),
    .executableTarget(
      name: "redis-bench", dependencies: ["Structures", "Reactor", "RedisLocation"],
      path: "benchmarks/redis/Sources/redis-bench", swiftSettings: settings),

    // Phones, a network and a server core in simulated time: Tests/Simulation.
    .target(
      name: "Simulation", dependencies: ["Structures", "SIPTransaction", "SIPServer"], path: "Tests/Simulation/Model",
      swiftSettings: settings),
    .executableTarget(
      name: "simulate", dependencies: ["Simulation"], path: "Tests/Simulation/simulate", swiftSettings: settings),

    tests("StructuresTests", ["Structures"]),
    tests("SIPMessageTests", ["Structures", "SIPMessage"], resources: [.copy("Fixtures")]),
    tests("SIPTransactionTests", ["Structures", "SIPMessage", "SIPTransaction"]),
    tests("SIPServerTests", ["Structures", "SIPMessage", "SIPTransaction", "SIPServer", "Simulation"]),
    tests("ConfigurationTests", ["Structures", "Configuration"]),
    tests("ReactorTests", ["Structures", "Reactor", "CLinux"]),
    tests("TLSEngineTests", ["Structures", "TLSEngine", "COpenSSL", "CTLSRecords", "Simulation"]),
    tests("TransportTests", ["Structures", "SIPMessage", "Reactor", "TLSEngine", "Transport"]),
    tests("RedisLocationTests", ["Structures", "SIPServer", "Reactor", "TLSEngine", "CLinux", "RedisLocation"]),
    tests(
      "WorkerTests",
      [
        "Structures", "SIPServer", "Configuration", "Reactor", "Transport", "Cluster", "RedisLocation", "CLinux",
        "TLSEngine", "Worker",
        .product(name: "Logging", package: "swift-log"),
      ]),
    tests("ClusterTests", ["Structures", "Reactor", "CLinux", "Cluster"]),
    tests("LogTests", ["Log", .product(name: "Logging", package: "swift-log")]),
    tests("SupervisorTests", ["Structures", "Configuration", "Reactor", "CLinux", "Supervisor"]),
    tests("AdminTests", ["Structures", "Configuration", "Reactor", "CLinux", "Admin"]),
    tests("CommandTests", ["apus"]),
    tests("LoadGeneratorTests", ["Structures", "Reactor", "LoadGenerator"]),
    tests("HouseTests", []),
    // Fuzz targets, run here over the inputs that are kept; Tests/Fuzz/run builds them with a fuzzer.
    tests(
      "Fuzz", ["Structures", "SIPMessage", "SIPTransaction", "SIPServer", "Configuration", "Transport", "Cluster"],
      exclude: ["Program", "Records", "Corpus", "Findings", "run", "sip.dict"]),
  ],
  swiftLanguageModes: [.v6]
)
