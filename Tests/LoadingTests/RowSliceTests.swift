import Loading
import Testing

@Suite(.timeLimit(.minutes(5)))
struct RowSliceTests {
  private func shape(_ rows: Int, _ microBatchRows: Int) -> BatchConfiguration {
    BatchConfiguration(
      rows: rows, sequenceLength: 4,
      grouping: microBatchRows > 1 ? .init(microBatchRows: microBatchRows) : nil)
  }

  @Test func slicesAreThoseOfTheReference() throws {
    for vector in try OrderFixture.read().rank_slices {
      for (rank, slice) in vector.slices.enumerated() {
        let rows = try RowSlice.rows(
          rank: rank, worldSize: vector.world_size, of: shape(vector.rows, vector.micro_batch))
        #expect([rows.lowerBound, rows.upperBound] == slice)
      }
    }
  }

  @Test func aWorldThatCutsMicroBatchesIsRefused() {
    // 24 rows in micro-batches of 4 are 6 micro-batches: 4 and 5 ranks would cut some.
    for worldSize in [0, 4, 5, 7, 24] {
      let error = #expect(throws: LoadingError.self) {
        try RowSlice.rows(rank: 0, worldSize: worldSize, of: shape(24, 4))
      }
      #expect(error?.description.contains("\(worldSize) ranks") == true)
      #expect(error?.description.contains("divides 6") == true)
    }
  }
}
