/// Which rows of the global batch a rank serves.
///
/// Rank r of W serves rows [r·B/W, (r+1)·B/W). The batch is the same at every world size, so that
/// the union of the ranks' rows is the one-rank batch, row for row.
public enum RowSlice {
  /// Returns the rows of `rank`.
  ///
  /// - Parameters:
  ///   - rank: r, in 0..<`worldSize`.
  ///   - worldSize: W, the number of ranks.
  ///   - batch: The shape of the global batch.
  /// - Returns: The rows that the rank serves, all slices of one length.
  /// - Throws: ``LoadingError/worldSize(_:rows:microBatchRows:)`` if W does not divide the batch
  ///   into whole micro-batches.
  public static func rows(rank: Int, worldSize: Int, of batch: BatchConfiguration)
    throws(LoadingError) -> Range<Int>
  {
    guard worldSize >= 1, batch.drawRows >= 1, batch.rows % worldSize == 0,
      batch.rows / worldSize % batch.drawRows == 0
    else {
      throw .worldSize(worldSize, rows: batch.rows, microBatchRows: batch.drawRows)
    }
    precondition(
      (0..<worldSize).contains(rank), "rank \(rank) is not one of \(worldSize) ranks")
    let count = batch.rows / worldSize
    return rank * count..<(rank + 1) * count
  }
}
