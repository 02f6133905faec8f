import ArgumentParser

@main
struct HeadraceCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "headrace",
    abstract:
      "Streams zstd-compressed token corpora to a trainer, mixed by weights that may change at every step.",
    subcommands: [PackCommand.self]
  )
}
