public import Configuration
internal import Glibc

/// Small files: read whole, written whole or not at all.
public enum Files {
  /// Larger files are not read: nothing that the settings name comes near it.
  static let maximumSize = 64 << 20

  /// The octets of a regular file.
  public static func read(_ path: String) -> Result<[UInt8], SettingsSources.FileProblem> {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return .failure(problem(errno)) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return .failure(problem(errno)) }
    guard status.st_mode & S_IFMT != S_IFDIR else {
      return .failure(.init(problem: "it is a directory", remedy: "name a file"))
    }
    guard status.st_size <= maximumSize else {
      return .failure(.init(problem: "the file has more than 64 MiB", remedy: "name the right file"))
    }
    var octets: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while octets.count <= maximumSize {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      if count < 0 { return .failure(problem(errno)) }
      if count == 0 { return .success(octets) }
      octets.append(contentsOf: buffer[..<count])
    }
    return .failure(.init(problem: "the file has no end", remedy: "name the right file"))
  }

  /// The octets of a file, or of all files of a directory in the order of their names, without those that begin with a dot.
  public static func readAll(_ path: String) -> Result<[(path: String, octets: [UInt8])], SettingsSources.FileProblem> {
    guard isDirectory(path) else { return read(path).map { [(path, $0)] } }
    let directory = path.hasSuffix("/") ? path : path + "/"
    var files: [(path: String, octets: [UInt8])] = []
    for name in names(in: path).sorted() where !name.hasPrefix(".") {
      switch read(directory + name) {
      case .success(let octets): files.append((directory + name, octets))
      case .failure(let problem):
        return .failure(.init(problem: "\(name): \(problem.problem)", remedy: problem.remedy))
      }
    }
    if files.isEmpty {
      return .failure(
        .init(problem: "there is no file in the directory", remedy: "put one there, or drop the directory"))
    }
    return .success(files)
  }

  /// Whether it is a directory, or a link to one.
  static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// Writes a file in one step: whoever reads it sees the old contents or the new. The file has `mode` afterwards,
  /// without regard to the umask.
  public static func write(_ octets: [UInt8], to path: String, mode: UInt32 = 0o600) throws(SettingsSources.FileProblem)
  {
    var template = Array("\(path).XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    guard descriptor >= 0 else { throw problem(errno) }
    var failure = fchmod(descriptor, mode) == 0 ? writeAll(octets, descriptor) : errno
    if failure == 0, fsync(descriptor) != 0 { failure = errno }
    close(descriptor)
    if failure == 0, rename(template, path) != 0 { failure = errno }
    guard failure == 0 else {
      unlink(template)
      throw problem(failure)
    }
  }

  /// Whether something of that name exists.
  public static func exists(_ path: String) -> Bool {
    access(path, F_OK) == 0
  }

  /// The path from the root; a relative one starts at the working directory.
  static func absolute(_ path: String) -> String {
    if path.hasPrefix("/") { return path }
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    guard getcwd(&buffer, buffer.count) != nil else { return path }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) + "/" + path
  }

  /// The names in a directory, without `.` and `..`; none when it can't be read.
  static func names(in directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { octets in
        String(decoding: octets.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  /// Makes a directory with all above it that are missing, for its owner alone.
  public static func makeDirectory(_ path: String) throws(SettingsSources.FileProblem) {
    var end = path.startIndex
    while end < path.endIndex {
      end = path[path.index(after: end)...].firstIndex(of: "/") ?? path.endIndex
      let part = String(path[..<end])
      if mkdir(part, 0o700) != 0, errno != EEXIST, !exists(part) { throw problem(errno) }
    }
  }

  /// Writes until all is written; the errno, 0 when it went well.
  static func writeAll(_ octets: [UInt8], _ descriptor: Int32) -> Int32 {
    octets.withUnsafeBytes { buffer in
      var sent = 0
      while sent < buffer.count {
        let count = Glibc.write(descriptor, buffer.baseAddress?.advanced(by: sent), buffer.count - sent)
        if count < 0, errno == EINTR { continue }
        if count < 0 { return errno }
        sent += count
      }
      return 0
    }
  }

  /// An errno in words, with what can be done.
  static func problem(_ code: Int32) -> SettingsSources.FileProblem {
    let text = String(cString: strerror(code))
    let remedy =
      switch code {
      case ENOENT: "check the path; relative ones start at the directory of the file that names them"
      case EACCES, EPERM, EROFS: "give the user that runs this the right to it"
      default: ""
      }
    return .init(problem: text.prefix(1).lowercased() + text.dropFirst(), remedy: remedy)
  }
}
