internal import ArgumentParser

/// Measurements, each beside something that it can be compared with.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measures parts of Headrace beside what they are compared with.",
    subcommands: [
      BenchLoaderCommand.self, BenchStreamCommand.self, BenchMemoryCommand.self,
      BenchKernelsCommand.self, BenchFeedbackCommand.self, BenchPoliciesCommand.self,
      BenchPolicyCostCommand.self,
    ])
}
