internal import ArgumentParser
internal import Corpora
internal import Loading

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// `headrace replay`: one batch of a recorded run, made again.
struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Makes one batch of a recorded run again, from its line of the ledger alone.",
    discussion: """
      The corpus must be the one that the run read; what the line records of the batch is compared \
      with what comes out. Each row is shown with the place that it comes from: its domain's \
      epoch and position, the shard, the tokens of the shard before it, the document in which it \
      begins (counted in the shard from 0), and the tokens of that document before it.

      The hash is the XXH64 of all tokens of the batch as Int64, little-endian, row after row, \
      whatever the token type.

      This is one step. A whole run is trained again, with the mixtures that it asked for, by \
      headrace train --policy replay --option ledger=RUN and the settings of that run.

      EXAMPLES
        headrace replay runs/a corpora/web --step 4711
        headrace replay runs/a/ledger.jsonl corpora/web --step 4711 --rows 0...3 --text
        headrace replay runs/a corpora/web --step 4711 --rows '0..<4' --json
        headrace replay runs/a corpora/web --step 4711 --tokens batch.npy
        headrace replay runs/a corpora/web --step 1 --tokens batch.npy --token-type uint16
      """)

  @Argument(help: ArgumentHelp("A ledger, or the run folder that holds it.", valueName: "ledger"))
  var ledger: String

  @Argument(help: "The folder of the corpus that the run read.")
  var corpus: String

  @Option(help: ArgumentHelp("The step, counted from 1.", valueName: "N"))
  var step: Int

  @Option(
    help: ArgumentHelp(
      "The type of the tokens in --tokens: "
        + TokenType.allCases.map(\.rawValue).joined(separator: ", ") + ".", valueName: "type"))
  var tokenType = TokenType.int64

  @Option(
    help: ArgumentHelp(
      "The rows to show, counted from 0: a...b, or 'a..<b' in quotes (default: all).",
      valueName: "a...b"))
  var rows: RowRange?

  @Option(
    help: ArgumentHelp(
      "Write the tokens of the whole batch, [B, T + 1], to a NumPy file.", valueName: "file.npy"))
  var tokens: String?

  @Flag(help: "Replace the file of --tokens if it stands there.")
  var force = false

  @Flag(help: "Show the beginning of each row as text; for corpora of the bytes tokenizer.")
  var text = false

  @Flag(help: "Print the same as JSON.")
  var json = false

  func validate() throws {
    if step < 1 { throw ValidationError("steps are counted from 1, not from \(step)") }
    if force && tokens == nil {
      throw ValidationError("--force is for the file of --tokens, which is not given")
    }
  }

  func run() throws {
    let corpus = try Corpus(at: corpus)
    if text && corpus.tokenizer.name != "bytes" {
      throw ToolFailure(
        "--text reads tokens of the tokenizer bytes; this corpus has those of "
          + "\(corpus.tokenizer.name). Leave --text out.")
    }
    if let tokens, !force, access(tokens, F_OK) == 0 {
      throw ToolFailure("\(tokens) stands there already. Give --force to replace it.")
    }
    let replay = try StepReplay(ofStep: step, inLedgerAt: Ledger.path(at: ledger))
    let shown = rows?.range ?? 0..<replay.line.rows
    guard shown.upperBound <= replay.line.rows else {
      throw ToolFailure(
        "the batch of step \(step) has \(NumberText.counted(replay.line.rows, "row")), counted from "
          + "0; --rows \(shown.lowerBound)...\(shown.upperBound - 1) goes past them.")
    }
    let batch = try replay.batch(from: corpus, tokenType: tokenType)
    if let tokens { try TokenArrayFile.write(batch, type: tokenType, to: tokens) }
    let replayed = try ReplayedStep(
      batch, of: replay, corpus: corpus, type: tokenType, rows: shown, showsText: text,
      tokensPath: tokens)
    print(json ? try JSONText.of(replayed) : replayed.description)
  }
}

/// Rows as a command line names them: `a...b`, or `a..<b`, which a shell needs quotes for.
struct RowRange: ExpressibleByArgument {
  let range: Range<Int>

  init?(argument: String) {
    for (mark, past) in [("...", 1), ("..<", 0)] {
      let parts = argument.split(separator: mark, omittingEmptySubsequences: false)
      guard parts.count == 2, let first = Int(parts[0]), let last = Int(parts[1]),
        first >= 0, last < Int.max, last + past > first
      else { continue }
      range = first..<last + past
      return
    }
    return nil
  }
}
