internal import ArgumentParser
internal import Fitting

/// `headrace predict`: a fit's predictions for other mixtures.
struct PredictCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict",
    abstract: "Predicts the losses of mixtures with the models of a fit.",
    discussion: """
      The table is CSV with a header and a column of shares for each domain of the fit; others are \
      not read, but for the column index, which is passed on. What is printed is CSV: the index, \
      each loss where the fit has several, and last the prediction, which is their weighted mean, \
      in nats per token.

      EXAMPLES
        headrace predict fits/web --mixtures candidates.csv
        headrace predict fits/web --mixtures candidates.csv > predictions.csv
      """)

  @Argument(help: "The folder of a fit.")
  var fit: String

  @Option(help: ArgumentHelp("The table of mixtures.", valueName: "file.csv"))
  var mixtures: String

  @Option(help: "How far from 1 the shares of a row may sum to; they are divided by their sum.")
  var sumTolerance = RunTable.sumTolerance

  func validate() throws {
    if !(0...1).contains(sumTolerance) {
      throw ValidationError("--sum-tolerance is \(sumTolerance); it lies in 0...1")
    }
  }

  func run() throws {
    let models = try StoredModels(atPath: FitFolder(fit).modelsPath)
    let table = try CSVTable(atPath: mixtures)
    print(try models.predictions(for: table, sumTolerance: sumTolerance).csv, terminator: "")
  }
}
