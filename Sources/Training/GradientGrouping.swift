public import Loading

extension BatchConfiguration.Grouping {
  /// The grouping for a policy that reads gradients by domain: the largest micro-batches of which a
  /// batch has two per domain on average, one for every domain whatever the mixture.
  ///
  /// Two micro-batches of a domain are the least of which the noise in its gradient is known.
  ///
  /// - Parameters:
  ///   - rows: B, the rows of a batch.
  ///   - domainCount: K, the number of domains.
  /// - Returns: nil if the batch has not two rows per domain.
  public static func forGradients(rows: Int, domainCount: Int) -> BatchConfiguration.Grouping? {
    guard rows >= 2 * domainCount, domainCount >= 1 else { return nil }
    let largest = rows / (2 * domainCount)
    let size = (1...largest).last { rows.isMultiple(of: $0) } ?? 1
    return BatchConfiguration.Grouping(microBatchRows: size, everyDomain: true)
  }
}
