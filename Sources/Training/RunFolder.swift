internal import Corpora
internal import Loading
internal import Mixing

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// The folder of one run, complete by itself.
///
///     configuration.json   what the run is made from, fully resolved; there before any step
///     ledger.jsonl         by the loader: one line makes its batch again
///     metrics.jsonl        one line a step and one an evaluation
///     checkpoints/         step-00000100.checkpoint: loader, trainer and run
///     policy-from, -ledger, -file
///                          copies of the files that the policy was given
///     policy.saved         what the policy learned, where it learns, when the run has ended or was
///                          stopped
///     mixture.json         the mean over the steps of the mixtures that were asked for, when the
///                          run has ended; a static policy takes it
///     record.json          when the run has ended
///     report.html, .svg    made from record and metrics, as is mixture.svg
public struct RunFolder: Sendable, Equatable {
  /// The folder.
  public let path: String

  /// Names a folder, which need not exist.
  public init(_ path: String) {
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    self.path = path
  }

  /// The resolved configuration.
  public var configurationPath: String { path + "/configuration.json" }
  /// The loader's ledger.
  public var ledgerPath: String { path + "/" + Ledger.fileName }
  /// The metrics.
  public var metricsPath: String { path + "/metrics.jsonl" }
  /// The record of the finished run.
  public var recordPath: String { path + "/record.json" }
  /// The page that is made from record and metrics.
  public var reportPath: String { path + "/report.html" }
  /// The picture that is made from record and metrics.
  public var picturePath: String { path + "/report.svg" }
  /// The picture of the asked mixture that is made from record and metrics.
  public var mixturePicturePath: String { path + "/mixture.svg" }
  /// The mean over the steps of the asked mixtures.
  public var meanMixturePath: String { path + "/mixture.json" }
  /// What the policy learned, for other runs.
  public var savedPolicyPath: String { path + "/policy.saved" }
  /// The folder of the checkpoints.
  public var checkpointsPath: String { path + "/checkpoints" }

  /// The folders and files that a run writes.
  private static let entries: Set<String> = [
    "configuration.json", Ledger.fileName, "metrics.jsonl", "record.json", "report.html",
    "report.svg", "mixture.svg", "mixture.json", "checkpoints", "policy.saved", "policy-from",
    "policy-ledger",
    "policy-file",
  ]

  /// Whether the folder holds a run that has begun.
  public var hasRun: Bool { access(configurationPath, F_OK) == 0 }

  /// Whether the folder holds a run that has ended.
  public var hasRecord: Bool { access(recordPath, F_OK) == 0 }

  /// Whether the folder holds what a policy learned.
  var hasSavedPolicy: Bool { access(savedPolicyPath, F_OK) == 0 }

  /// Whether something exists at the folder's path.
  var exists: Bool { access(path, F_OK) == 0 }

  /// An entry that no run writes; nil if there is none.
  func foreignEntry() throws(RunError) -> String? {
    try Self.list(path).first {
      !Self.entries.contains($0.hasSuffix(".tmp") ? String($0.dropLast(4)) : $0)
    }
  }

  /// Whether the folder is empty or does not exist.
  func isEmpty() throws(RunError) -> Bool {
    guard exists else { return true }
    return try Self.list(path).isEmpty
  }

  /// Creates the folder, those above it and that of the checkpoints, durably.
  func create() throws(RunError) {
    var position = path.startIndex
    while let slash = path[position...].dropFirst().firstIndex(of: "/") {
      try Self.createFolder(String(path[..<slash]))
      position = slash
    }
    try Self.createFolder(path)
    try Self.createFolder(checkpointsPath)
  }

  /// Removes what a run without a checkpoint left; true if there was something.
  func removeBeginnings() throws(RunError) -> Bool {
    var hasRemoved = false
    for path in [ledgerPath, metricsPath] where access(path, F_OK) == 0 {
      guard unlink(path) == 0 else {
        throw .corpus(.cannotWrite(path: path, byteOffset: 0, code: errno))
      }
      hasRemoved = true
    }
    return hasRemoved
  }

  // MARK: Checkpoints

  /// The path of the checkpoint after `step`.
  func checkpointPath(step: Int) -> String {
    let digits = String(step)
    let padding = String(repeating: "0", count: max(0, 8 - digits.count))
    return "\(checkpointsPath)/step-\(padding)\(digits).checkpoint"
  }

  /// The steps of the checkpoints, the newest first.
  func checkpointSteps() throws(RunError) -> [Int] {
    guard access(checkpointsPath, F_OK) == 0 else { return [] }
    return try Self.list(checkpointsPath).compactMap { name in
      guard name.hasPrefix("step-"), name.hasSuffix(".checkpoint") else { return nil }
      return Int(name.dropFirst(5).dropLast(11))
    }.sorted(by: >)
  }

  /// Deletes the checkpoints after `step`: they were damaged, and what follows replaces them.
  func removeCheckpoints(after step: Int) throws(RunError) {
    for damaged in try checkpointSteps() where damaged > step {
      let path = checkpointPath(step: damaged)
      guard unlink(path) == 0 else {
        throw .corpus(.cannotWrite(path: path, byteOffset: 0, code: errno))
      }
    }
  }

  /// Deletes all but the newest checkpoints, and what an interrupted write left.
  func prune(keepCount: Int) throws(RunError) {
    var paths = try checkpointSteps().dropFirst(keepCount).map { checkpointPath(step: $0) }
    paths += try Self.list(checkpointsPath).filter { $0.hasSuffix(".tmp") }
      .map { checkpointsPath + "/" + $0 }
    for path in paths where unlink(path) != 0 && errno != ENOENT {
      throw .corpus(.cannotWrite(path: path, byteOffset: 0, code: errno))
    }
  }

  // MARK: Files

  /// Where a run keeps the file that an option of its policy names.
  func policyFilePath(option: String) -> String { path + "/policy-" + option }

  /// The run's copy of that file; nil if it has none.
  func keptPolicyFile(option: String) -> String? {
    let path = policyFilePath(option: option)
    return access(path, F_OK) == 0 ? path : nil
  }

  /// Copies the files that the policy's options name, durably: the run is complete by itself.
  func keepPolicyFiles(of configuration: RunConfiguration) throws(RunError) {
    for (option, given) in configuration.policyOptions.sorted(by: { $0.key < $1.key })
    where PolicyRegistry.pathOptions.contains(option) {
      do throws(CorpusError) {
        let bytes = try FileReader.contents(
          of: Self.policyFile(given, ofOption: option), limit: 1 << 32)
        try DurableFile.write(bytes, to: policyFilePath(option: option))
      } catch {
        throw .corpus(error)
      }
    }
  }

  /// Returns a policy's options in which the files are named that are meant: of a run folder its
  /// ledger, or its saved policy.
  ///
  /// - Parameters:
  ///   - options: as they were given.
  ///   - folder: that of a run that has begun, whose copies stand for the files; nil for none.
  /// - Returns: the same with the paths of files.
  public static func withPolicyFiles(
    _ options: [String: String], keptIn folder: RunFolder? = nil
  ) -> [String: String] {
    var options = options
    for option in PolicyRegistry.pathOptions {
      options[option] = options[option].map { given in
        folder?.keptPolicyFile(option: option) ?? policyFile(given, ofOption: option)
      }
    }
    return options
  }

  /// The file that a policy's option names.
  private static func policyFile(_ path: String, ofOption option: String) -> String {
    if option == "ledger" { return Ledger.path(at: path) }
    guard option == "from" else { return path }
    var status = stat()
    let isFolder = stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    return isFolder ? RunFolder(path).savedPolicyPath : path
  }

  /// Returns a policy's options with what the run in the folder recorded in place of files of
  /// mixtures that are gone, so that the command that began the run goes on with it.
  ///
  /// Files of which the folder keeps copies are left as they are named.
  ///
  /// - Parameters:
  ///   - given: the options as they were given.
  ///   - policy: the policy that they are for.
  /// - Returns: the options; as they were given where no file is gone, or the run has another
  ///   policy.
  /// - Throws: what ``TrainingRun/configuration(of:)`` throws.
  public func keptOptions(
    _ given: [String: String], ofPolicy policy: String
  ) throws(RunError) -> [String: String] {
    func isGone(_ path: String) -> Bool { access(path, F_OK) != 0 }
    let isFileGone = given["file"].map(isGone) ?? false
    let isPriorGone = given["prior"].map { $0.hasSuffix(".json") && isGone($0) } ?? false
    guard isFileGone || isPriorGone else { return given }
    let recorded = try TrainingRun.configuration(of: self)
    guard recorded.policy == policy else { return given }
    var options = given
    if isFileGone {
      options["file"] = nil
      for option in ["json", "mixture", "weights"] {
        options[option] = recorded.policyOptions[option]
      }
    }
    if isPriorGone { options["prior"] = recorded.policyOptions["prior"] ?? given["prior"] }
    return options
  }

  /// Reads a small JSON file.
  static func decode<Value: Decodable>(_ path: String) throws(RunError) -> Value {
    let bytes = try contents(path)
    do {
      return try RunJSON.decode(Value.self, from: bytes)
    } catch {
      throw .fileDamaged(path: path, reason: RunJSON.reason(error))
    }
  }

  /// Reads a file that is small unless it is damaged.
  static func contents(_ path: String) throws(RunError) -> [UInt8] {
    do throws(CorpusError) {
      return try FileReader.contents(of: path, limit: 1 << 30)
    } catch {
      throw .corpus(error)
    }
  }

  private static func createFolder(_ path: String) throws(RunError) {
    if mkdir(path, 0o755) != 0 {
      guard errno == EEXIST else { throw .corpus(.cannotOpen(path: path, code: errno)) }
      return
    }
    do throws(CorpusError) { try DurableFile.synchronizeFolder(of: path) } catch {
      throw .corpus(error)
    }
  }

  private static func list(_ path: String) throws(RunError) -> [String] {
    guard let folder = opendir(path) else { throw .corpus(.cannotOpen(path: path, code: errno)) }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}
