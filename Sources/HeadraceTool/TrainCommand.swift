internal import Ablations
internal import ArgumentParser
internal import Kernels
internal import Loading
internal import Mixing
internal import Synchronization
internal import Training

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// The signal that has asked the command to stop, 0 for none; set by a signal handler, which may
/// touch nothing more.
private let stopSignal = Atomic<Int32>(0)

/// `headrace train`: a corpus streams into the in-process language model.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Trains a small language model on a corpus, in a run folder that can be resumed.",
    discussion: """
      The run folder is complete by itself: configuration.json, ledger.jsonl (one line makes its \
      batch again), metrics.jsonl, checkpoints, and at the end record.json, report.html, \
      report.svg and mixture.json, the mean of the mixtures that were asked for, as --mixture \
      takes it. A run that is stopped, even by kill -9, goes on with --resume and ends with the \
      same losses as one that never was. Ctrl-C and SIGTERM stop after the current step and \
      leave a checkpoint; the exit code is then 130 or 143.

      With --resume the settings must be those that the run was begun with, but for threads, byte \
      budget and checkpoints; without CORPUS they are read from the run folder. The corpus must be \
      the same too, unless --carry-over says that its domains may have changed; what has changed \
      is printed and stands in the ledger.

      A policy that reads gradients by domain gets them without a backward pass of its own, from \
      rows that are grouped by domain; without --grouping a size is chosen and printed. \
      --policy replay --option ledger=RUN asks for the mixtures of a recorded run, with its groups \
      of rows and epoch caps: with the other settings and the seed of that run its losses come out \
      again, bit for bit; what differs is said.

      A frame that is damaged ends the run, unless --skip-damage lets it go on without the \
      frame, or --quarantined names a list that has it. Held-out frames are skipped only if they \
      are on that list.

      EXAMPLES
        headrace train corpora/demo --run-folder runs/a --steps 500
        headrace train corpora/demo --run-folder runs/b --option exponent=0.5
        headrace train corpora/demo --run-folder runs/c --mixture code=0.7,prose=0.3
        headrace train corpora/demo --run-folder runs/d --skip-damage
        headrace train corpora/demo --run-folder runs/e --policy replay --option ledger=runs/a
        headrace train --run-folder runs/a --resume
      """)

  @Argument(help: "The folder of the corpus; with --resume it may be left out.")
  var corpus: String?

  @Option(help: "Where the run is kept; a new folder, unless the run is resumed.")
  var runFolder: String

  @Flag(help: "Go on with the run in the folder; if there is none yet, begin it.")
  var resume = false

  @Flag(
    help: """
      With --resume, on a corpus that has changed since: unchanged domains keep their place, added \
      and re-packed ones begin anew.
      """)
  var carryOver = false

  @Flag(help: "Skip a frame that a row finds damaged from then on, rather than end the run.")
  var skipDamage = false

  @OptionGroup(title: "LOADER OPTIONS")
  var loader: LoaderArguments

  @OptionGroup(title: "TRAINING OPTIONS")
  var training: TrainingArguments

  @Option(
    help: ArgumentHelp(
      "Where to write what the policy learned, when the run ends or is stopped; another run starts "
        + "from it with --policy-from. ac-odm learns with --option state=paper then, unless "
        + "another state is given.", valueName: "file"))
  var savePolicy: String?

  @Flag(help: "Print the record as JSON instead of the table.")
  var json = false

  /// The options that may be given when the settings come from the run folder.
  private static let freeOptions: Set<String> = [
    "--run-folder", "--resume", "--carry-over", "--json", "--threads", "--compute-threads",
    "--byte-budget",
    "--checkpoint-interval", "--keep-checkpoints", "--save-policy",
  ]

  func validate() throws {
    if carryOver && !resume {
      throw ValidationError("--carry-over goes with --resume: it is about a run that goes on")
    }
    if corpus == nil {
      guard resume else { throw ValidationError("name the folder of the corpus") }
      let given = CommandLine.arguments.dropFirst().filter { $0.hasPrefix("--") }
        .map { String($0.prefix { $0 != "=" }) }
      if let option = given.first(where: { !Self.freeOptions.contains($0) }) {
        throw ValidationError(
          "without CORPUS the settings are those that the run folder records; \(option) cannot be "
            + "given beside them")
      }
    }
  }

  func run() throws {
    let folder = RunFolder(runFolder)
    let configuration = try resolvedConfiguration(folder)
    Self.listenToSignals()
    var run = TrainingRun(
      configuration, folder: folder, toolVersion: HeadraceCommand.configuration.version)
    run.corpusChange = carryOver ? .carryOver : .refuse
    run.savedPolicyPath = savePolicy
    let display = TrainDisplay()
    defer { display.end() }
    let outcome = try run.start(resuming: resume, observer: display) {
      stopSignal.load(ordering: .relaxed) != 0
    }
    display.end()
    switch outcome {
    case .finished(let record):
      try RunReport(of: folder).write(to: folder)
      try conclude(record, folder)
    case .alreadyFinished(let record):
      StandardError.write("the run in \(folder.path) has ended already; nothing was done\n")
      if access(folder.reportPath, F_OK) != 0 || access(folder.picturePath, F_OK) != 0 {
        try RunReport(of: folder).write(to: folder)
      }
      try conclude(record, folder)
    case .stopped(let step, let checkpoint):
      let kept = checkpoint.map { "; its state is in \($0)" } ?? "; there was no step to keep"
      StandardError.write(
        "stopped after step \(step)\(kept)\n"
          + "go on with: headrace train --run-folder \(folder.path) --resume\n")
      throw ExitCode(128 + stopSignal.load(ordering: .relaxed))
    }
  }

  /// Prints what the run came to.
  private func conclude(_ record: RunRecord, _ folder: RunFolder) throws {
    if json {
      print(try JSONText.of(record))
      return
    }
    let report = try RunReport(of: folder)
    print(report.table)
    if let mixtureTable = report.mixtureTable { print("\n" + mixtureTable) }
    print("")
    print("record  \(folder.recordPath)")
    print("report  \(folder.reportPath)")
    print("picture \(folder.picturePath)")
    if report.mixturePicture != nil { print("mixture \(folder.mixturePicturePath)") }
  }

  /// The configuration that the options say, or that the run folder records.
  private func resolvedConfiguration(_ folder: RunFolder) throws -> RunConfiguration {
    guard let corpus else {
      guard folder.hasRun else {
        throw ValidationError(
          "\(folder.path) holds no run; to begin one, name the folder of the corpus")
      }
      var configuration = try TrainingRun.configuration(of: folder)
      let given = Set(CommandLine.arguments.map { String($0.prefix { $0 != "=" }) })
      if given.contains("--threads") { configuration.loader.decodeThreadCount = loader.threads }
      if given.contains("--byte-budget") {
        configuration.loader.byteBudget = loader.byteBudget.bytes
      }
      if let threads = training.computeThreads { configuration.threadCount = threads }
      if let interval = training.checkpointInterval {
        configuration.checkpoints.stepInterval = interval
      }
      if given.contains("--keep-checkpoints") {
        configuration.checkpoints.keepCount = training.keepCheckpoints
      }
      return configuration
    }
    return try training.configuration(
      corpusPath: corpus, loader: loader, skipsDamage: skipDamage, savesPolicy: savePolicy != nil,
      begun: resume && folder.hasRun ? folder : nil)
  }

  /// Lets the first signal stop the run at the next step; the second ends the process at once.
  private static func listenToSignals() {
    stopSignal.store(0, ordering: .relaxed)
    for number in [SIGINT, SIGTERM, SIGHUP] {
      signal(number) { number in
        stopSignal.store(number, ordering: .relaxed)
        signal(number, SIG_DFL)
      }
    }
    // A reader of the progress that goes away must not end the training.
    signal(SIGPIPE, SIG_IGN)
  }
}
