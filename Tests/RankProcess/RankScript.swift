internal import Corpora
package import Loading

/// What one rank does, as the tests write it and the process reads it.
package struct RankScript: Codable {
  package var corpus: String
  package var rows: Int
  package var sequenceLength: Int
  package var seed: UInt64
  package var rank = 0
  package var worldSize = 1
  package var threadCount = 0
  package var unitsPerPool = 1
  package var draw = DrawRule.credits
  package var grouping: BatchConfiguration.Grouping?
  package var epochCaps: [String: Double] = [:]
  package var ledger: String?
  /// The quarantine list.
  package var quarantine: String?
  /// The checkpoint to go on from.
  package var checkpoint: String?
  package var actions: [Action] = []
  /// Where the process writes what it saw.
  package var output: String

  package enum Action: Codable {
    /// Makes a batch and writes its rows, or `end` where there is none.
    case next
    case setMixture(weights: [Double], reason: String)
    case setBatchRows(Int)
    /// Reports losses of the last step, the same for every domain.
    case observe(loss: Double)
    /// Saves a checkpoint to a path.
    case save(String)
    case digest
    /// Lets no file grow beyond the ledger's size and so many bytes, as on a full disk; with nil
    /// there is room again.
    case limitFiles(room: Int?)
    /// Expects the next batch to fail, and writes `failed` and the error.
    case fail
    /// Ends the process without closing anything.
    case abort
  }

  /// What stands for a row's tokens in the output.
  package static func text(of tokens: some Collection<Int32>) -> String {
    var writer = ByteWriter()
    for token in tokens { writer.append(token) }
    return XXHash.text(XXHash.hash64(writer.bytes))
  }

  package init(corpus: String, rows: Int, sequenceLength: Int, seed: UInt64, output: String) {
    self.corpus = corpus
    self.rows = rows
    self.sequenceLength = sequenceLength
    self.seed = seed
    self.output = output
  }
}
