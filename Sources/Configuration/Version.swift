/// What this build is.
public enum Version {
  /// Ours, by the rules of semantic versioning.
  public static let text = "0.1.0"

  /// The packages that it is made with and their oldest versions, as in Package.swift.
  public static let packages: [(name: String, version: String)] = [
    ("swift-argument-parser", "1.8.2"), ("swift-log", "1.16.2"), ("Yams", "6.2.2"),
    ("hdrhistogram-swift", "0.2.0"),
  ]

  /// The compiler's version, as far as a program can know it.
  public static var compiler: String {
    #if compiler(>=6.4)
      "6.4 or later"
    #elseif compiler(>=6.3)
      "6.3"
    #else
      "6.2"
    #endif
  }
}
