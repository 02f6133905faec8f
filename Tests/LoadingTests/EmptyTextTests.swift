import Corpora
import HeadraceTesting
import Loading
import Mixing
import Testing

/// Files without text among others change nothing but the order.
@Suite(.timeLimit(.minutes(5)))
struct EmptyTextTests {
  private static let texts = (0..<2).map {
    FormatFolder.documents(byteCount: 12_000, seed: UInt64($0))
  }

  private func loader(_ folder: FormatFolder, from checkpoint: LoaderCheckpoint? = nil) throws
    -> Loader
  {
    try Loader(
      folder.open(), policy: .static(.uniform), batch: .init(rows: 1, sequenceLength: 512),
      seed: 4, options: options { ($0.unitsPerPool, $0.byteBudget) = (1, 8 << 20) },
      resumingFrom: checkpoint)
  }

  @Test func `rows are those of the files with text, in every epoch`() throws {
    let full = try FormatFolder(.jsonLines, documents: [Self.texts])
    let mixed = try FormatFolder(
      .jsonLines, documents: [[[], Self.texts[0], [], [], Self.texts[1], []]])
    // No sequence lies in two files.
    let rowCount = full.tokens[0].reduce(0) { $0 + ($1.count - 1) / 512 }
    let batchCount = 3 * rowCount
    let expected = try loader(full).rows(batches: batchCount).joined().map(\.tokens)
    let found = try loader(mixed).rows(batches: batchCount).joined().map(\.tokens)
    for epoch in 0..<3 {
      let rows = epoch * rowCount..<(epoch + 1) * rowCount
      #expect(Set(found[rows]) == Set(expected[rows]))
    }
  }

  @Test func `a run resumes exactly after any step`() throws {
    let folder = try FormatFolder(
      .jsonLines, documents: [[[], Self.texts[0], [], Self.texts[1], [], []]])
    let batchCount = 60
    let whole = try loader(folder).rows(batches: batchCount)
    let cut = try loader(folder)
    for step in 1..<batchCount - 2 {
      let batch = try #require(try cut.next())
      let resumed = try loader(folder, from: batch.checkpoint())
      #expect(try resumed.rows(batches: 2) == Array(whole[step..<step + 2]), "after step \(step)")
    }
  }
}
