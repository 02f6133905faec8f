internal import Corpora
internal import Mixing

extension Loader {
  /// Returns a hash of everything that must be the same on every rank before the next batch.
  ///
  /// A trainer compares it between its ranks through its own collective, such as an all-gather of
  /// one number, after `observe` and before `next`: ranks whose digests are equal draw the same
  /// batch. Of two ranks with different digests one was opened with another configuration or
  /// corpus, has made another number of steps, or was given other feedback or another mixture.
  ///
  /// What it covers:
  ///
  /// 1. All that a checkpoint holds: the identity (order version, seed, split, T, P, draw rule,
  ///    grouping, and the domains' names, fingerprints and caps), the step, rows, positions and
  ///    credits, the quarantine list, the feedback since the last batch and the last step that was
  ///    observed, how much feedback was refused, the ledger's length, and the policy's checkpoint.
  /// 2. The asked integer shares and B.
  /// 3. What is done with invalid feedback and with damage.
  ///
  /// What it leaves out may differ between ranks: rank, threads, byte budget, read timeout, token
  /// type, where the corpus and the ledger lie. Feedback from before the last batch is covered by
  /// what the policy made of it.
  ///
  /// - Returns: 64 bits, the same on every machine.
  /// - Throws: ``LoadingError/mixing(_:)`` if a policy of the program's own does not encode.
  /// - Complexity: O(domains) and the policy's checkpoint, encoded once.
  public func digest() throws(LoadingError) -> UInt64 {
    var writer = ByteWriter()
    writer.bytes = try checkpoint().encoded()
    writer.append(UInt64(writer.bytes.count))
    writer.append(UInt64(batchRows))
    for share in mixture.integerShares { writer.append(UInt64(bitPattern: share)) }
    writer.bytes += invalidFeedback.rawValue.utf8
    writer.bytes += quarantineRule.rawValue.utf8
    return XXHash.hash64(writer.bytes)
  }
}
