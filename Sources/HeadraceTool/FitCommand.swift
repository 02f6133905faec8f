internal import ArgumentParser

/// Proxy runs become a mixture.
struct FitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fit",
    abstract: "Fits models to proxy runs and recommends a mixture.",
    subcommands: [FitRegMixCommand.self])
}
