internal import ArgumentParser
internal import Fitting

/// The options that say how tables of runs are read.
struct RunTableArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The column that joins the two tables (default: index, or the first without a name; by row if "
        + "neither has one).", valueName: "column"))
  var join: String?

  @Flag(help: "Join the two tables row by row.")
  var byRow = false

  @Option(
    help: ArgumentHelp(
      "The columns of shares, with commas between (default: all but the joining one).",
      valueName: "columns"))
  var domainColumns: String?

  @Option(
    help: ArgumentHelp(
      "Taken off the beginning of the columns' names to get the domains'.", valueName: "text"))
  var domainPrefix = ""

  @Option(help: "How far from 1 the shares of a run may sum to; they are divided by their sum.")
  var sumTolerance = RunTable.sumTolerance

  func validate() throws {
    if byRow && join != nil { throw ValidationError("--join and --by-row exclude each other") }
    if !(0...1).contains(sumTolerance) {
      throw ValidationError("--sum-tolerance is \(sumTolerance); it lies in 0...1")
    }
  }

  /// The reading of tables, with some columns of losses.
  func reading(lossColumns: [String]) -> RunTable.Reading {
    var reading = RunTable.Reading()
    reading.join = byRow ? .row : join.map { .column($0) } ?? .automatic
    reading.domainColumns = domainColumns.map {
      $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
    reading.domainPrefix = domainPrefix
    reading.sumTolerance = sumTolerance
    reading.lossColumns = lossColumns
    return reading
  }
}
