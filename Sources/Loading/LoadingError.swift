public import Corpora
public import Mixing

/// What kept a loader from being made, or a batch from being given.
public enum LoadingError: Error {
  /// The corpus is damaged or does not open.
  case corpus(CorpusError)
  /// The mixture or the policy is wrong.
  case mixing(MixingError)
  /// A setting lies outside its limits.
  case setting(name: String, value: Int, allowed: ClosedRange<Int>)
  /// T neither divides a frame nor is a multiple of one; the two nearest that work stand beside it.
  case sequenceLength(value: Int, below: Int, above: Int)
  /// A domain takes samples as sequences, and they have other than T + 1 tokens.
  case sampleLength(domain: String, tokenCount: Int, sequenceLength: Int)
  /// A domain has no whole sequence of T + 1 tokens.
  case noSequence(domain: String, split: Split, tokenCount: Int, sequenceLength: Int)
  /// The byte budget does not hold one pool and one batch.
  case byteBudget(byteCount: Int, least: Int)
  /// The system has no room for the pools.
  case cannotReserve(byteCount: Int)
  /// The token type of the batches cannot hold the corpus's tokens.
  case tokenType(TokenType, width: TokenWidth)
  /// The batch does not divide into micro-batches, or has fewer of them than it must.
  case microBatches(rows: Int, microBatchRows: Int, leastRows: Int)
  /// A world size does not divide the batch into whole micro-batches.
  case worldSize(Int, rows: Int, microBatchRows: Int)
  /// An epoch cap is not a positive finite number, or is below one sequence.
  case epochCap(domain: String, value: Double)
  /// A domain of text, which is tokenized while it is read, was asked for what needs counted
  /// tokens.
  case needsPacking(domain: String, feature: String)
  /// The text of a domain does not hold what a run has read of it: a pool has fewer rows than
  /// positions say.
  case textDiffers(domain: String, row: Int, rowCount: Int)
  /// The shards of a domain do not say how many documents they hold; native ones do.
  case documentsNotCounted(domain: String)
  /// A checkpoint was made under another configuration or corpus.
  case checkpointDiffers(field: String, recorded: String, configured: String)
  /// A checkpoint was made on another corpus.
  case corpusChanged(CorpusChange)
  /// A checkpoint file is damaged.
  case checkpointDamaged(path: String, CheckpointFault)
  /// The ledger file is not the one that the checkpoint speaks of.
  case ledgerTooShort(path: String, byteCount: Int, recorded: Int)
  /// The ledger file belongs to a run of another configuration or corpus.
  case ledgerDiffers(path: String, field: String, recorded: String, configured: String)
  /// The ledger file was written on another corpus than the checkpoint was made on.
  case ledgerCorpusDiffers(path: String, CorpusChange)
  /// A ledger stands at `path` already, and no checkpoint says how to go on.
  case ledgerExists(path: String)
  /// A line of a step is, or would be, longer than a ledger's lines may be.
  case ledgerLineTooLong(path: String, byteCount: Int, limit: Int)
  /// A line of a ledger does not decode; lines are counted from 1.
  case ledgerDamaged(path: String, line: Int, reason: String)
  /// A ledger has no line of that step; `last` is the last step before it, nil if there is none.
  case ledgerStepMissing(path: String, step: Int, last: Int?)
  /// A step cannot be made again: its ledger was written with another corpus or order.
  case replayDiffers(path: String, field: String, recorded: String, found: String)
  /// A ledger line does not make the batch that it records.
  case replayContradicts(path: String, step: Int, field: String, recorded: Int, found: Int)
  /// The header that a checkpoint speaks of does not decode.
  case ledgerHeaderDamaged(path: String, byteOffset: Int, reason: String)
  /// Several ranks were asked to collect damaged frames, each for itself.
  case quarantineCollects(worldSize: Int)
  /// An entry of a quarantine list is about another corpus.
  case quarantineDiffers(domain: String, field: String, recorded: String, found: String)
  /// A quarantine list does not decode.
  case quarantineDamaged(path: String, reason: String)
  /// All frames of a domain that hold a sequence are in quarantine.
  case noGoodSequence(domain: String)
  /// A mixture was set although the policy is not `manual`.
  case policyIsNotManual(policy: String)
  /// A caller's buffer has another size than the batch.
  case bufferSize(elementCount: Int, required: Int)
  /// Something did not come to an end in time.
  ///
  /// Nothing was lost: the next call tries the same again, and closing waits for nothing.
  case timedOut(Stall)
}

extension LoadingError {
  /// Makes the error of what was found wrong with the corpus, or took too long in it.
  init(_ error: CorpusError) {
    self = error.stall.map { .timedOut($0) } ?? .corpus(error)
  }
}

/// What is wrong with a checkpoint file.
public enum CheckpointFault: Sendable, Equatable {
  /// The file does not begin as a checkpoint does.
  case magic
  /// The file has another version.
  case version(found: Int, supported: Int)
  /// A length in the file does not fit it.
  case length(recorded: Int, fileByteCount: Int)
  /// The checksum does not hold.
  case checksum(recorded: String, computed: String)
  /// A section is missing.
  case section(name: String)
  /// A section's name is no UTF-8, or another section has it.
  case sectionName(String)
  /// A section's content does not decode.
  case content(section: String, reason: String)
}
