internal import ArgumentParser

@main
struct HeadraceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "headrace",
    abstract:
      "Streams zstd-compressed token corpora to a trainer, mixed by weights that may change at every step.",
    version: "0.1.0",
    subcommands: [PackCommand.self, BenchCommand.self])
}
