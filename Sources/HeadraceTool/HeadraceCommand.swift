internal import ArgumentParser

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

@main
struct HeadraceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "headrace",
    abstract:
      "Streams zstd-compressed token corpora to a trainer, mixed by weights that may change "
      + "at every step.",
    discussion: """
      EXAMPLES
        headrace pack -o corpora/c --domain c=/usr/include --include 'c=*.h'
        headrace inspect corpora/c
        headrace verify corpora/c
        headrace explain corpora/c --rows 32 --sequence-length 512 --steps 1000
        headrace train corpora/c --run-folder runs/a --steps 1000
        headrace replay runs/a corpora/c --step 500
        headrace fit regmix --mixtures m.csv --losses l.csv --target web -o fits/web
        headrace predict fits/web --mixtures candidates.csv

      The exit code is 0 if all went well, 1 if something failed, 2 if the command line is wrong.
      """,
    version: "0.1.0",
    subcommands: [
      PackCommand.self, InspectCommand.self, VerifyCommand.self, ExplainCommand.self,
      TrainCommand.self, ReplayCommand.self, FitCommand.self, PredictCommand.self,
      ExportCommand.self, BenchCommand.self,
    ])

  /// Runs the command that the arguments ask for; the one place that turns errors into exit codes.
  static func main() {
    // A file size limit is then an error with a path, not the end of the process.
    signal(SIGXFSZ, SIG_IGN)
    var code: Int32 = 0
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      code = report(error)
    }
    // What stands in the buffer of standard output may still fail to be written.
    if fflush(nil) != 0, code == 0 {
      complain("headrace: cannot write standard output: \(String(cString: strerror(errno)))")
      code = 1
    }
    exit(withError: ExitCode(code))
  }

  /// Says what happened and returns the exit code: 0 for help, 1 for a failure, 2 for a wrong
  /// command line.
  private static func report(_ error: any Error) -> Int32 {
    switch exitCode(for: error) {
    case .success:
      print(fullMessage(for: error))
      return 0
    case .validationFailure:
      let text = fullMessage(for: error)
      let prefix = "Error: "
      complain("headrace: " + (text.hasPrefix(prefix) ? text.dropFirst(prefix.count) : text[...]))
      return 2
    default:
      if let code = error as? ExitCode { return code.rawValue }
      complain("headrace: \(error)")
      return CommandLineFault.explains(error) ? 2 : 1
    }
  }

  private static func complain(_ text: String) {
    StandardError.write(text + "\n")
  }
}
