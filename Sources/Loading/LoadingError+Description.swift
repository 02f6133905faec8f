internal import Corpora
internal import Mixing

extension LoadingError: CustomStringConvertible {
  /// What happened, where, and what to do about it.
  public var description: String {
    switch self {
    case .corpus(let error): error.description
    case .mixing(let error): error.description
    case .setting(let name, let value, let allowed):
      "\(name) is \(value), but must lie in \(allowed.lowerBound)…\(allowed.upperBound)."
    case .sequenceLength(let value, let below, let above):
      "a sequence length of \(value) neither divides a frame of 262144 tokens nor is a multiple of "
        + "one. Take \(below) or \(above), or allow unused tails (--allow-unused-tails)."
    case .sampleLength(let domain, let tokenCount, let sequenceLength):
      "domain \(domain) takes samples of \(tokenCount) tokens as sequences, which fit a sequence "
        + "length of \(tokenCount - 1), not \(sequenceLength). Take that one, or join the samples "
        + "(\"samples\": \"joined\")."
    case .noSequence(let domain, let split, let tokenCount, let sequenceLength):
      "the \(split.rawValue) split of domain \(domain) has \(tokenCount) tokens, which hold no "
        + "whole sequence of \(sequenceLength + 1). Take a shorter sequence length, add text to "
        + "the domain, or leave it out."
    case .byteBudget(let byteCount, let least):
      "a byte budget of \(byteCount) does not hold one pool and one batch; the least that does is "
        + "\(least)."
    case .cannotReserve(let byteCount):
      "the system gives no \(byteCount) bytes of address space for pools. Lower the byte budget."
    case .tokenType(let type, let width):
      "\(type.rawValue) batches cannot hold the corpus's tokens of \(width.byteCount) bytes. Take "
        + "uint32, int32 or int64."
    case .microBatches(let rows, let microBatchRows, let leastRows):
      "a batch of \(rows) rows does not divide into micro-batches of \(microBatchRows), or holds "
        + "too few of them for one per domain. Take \(leastRows) rows, or a multiple of "
        + "\(microBatchRows) above."
    case .worldSize(let worldSize, let rows, let microBatchRows):
      "\(worldSize) ranks do not divide a batch of \(rows) rows into whole micro-batches of "
        + "\(microBatchRows). Take a world size that divides \(rows / max(1, microBatchRows))."
    case .epochCap(let domain, let value):
      "the epoch cap \(value) of domain \(domain) is not a number that leaves it one sequence. "
        + "To leave a domain out, give it the weight 0."
    case .textDiffers(let domain, let row, let rowCount):
      "the text of domain \(domain) is not what the run has read: row \(row) comes next in a pool "
        + "that holds \(rowCount). A file was changed, or the checkpoint is another run's; put the "
        + "files back."
    case .documentsNotCounted(let domain):
      "the shards of domain \(domain) do not count their documents, as native shards do. Shard and "
        + "token offset are known all the same."
    case .needsPacking(let domain, let feature):
      "domain \(domain) is text that is tokenized while it is read: nobody knows how many tokens it "
        + "has, which \(feature) needs. Pack it first (headrace pack)."
    case .policyIsNotManual(let policy):
      "a mixture cannot be set by hand under the policy \(policy). Open the loader with the policy "
        + "manual."
    case .bufferSize(let elementCount, let required):
      "the buffer has \(elementCount) elements; the batch has \(required)."
    case .timedOut(let stall): stall.description
    case .checkpointDiffers, .corpusChanged, .checkpointDamaged, .ledgerTooShort,
      .ledgerDiffers, .ledgerCorpusDiffers, .ledgerExists, .ledgerDamaged, .ledgerLineTooLong,
      .ledgerHeaderDamaged, .ledgerStepMissing, .replayDiffers,
      .replayContradicts, .quarantineCollects, .quarantineDiffers, .quarantineDamaged,
      .noGoodSequence:
      recordText
    }
  }

  /// The text of an error about what a run has written, or was told of its corpus.
  private var recordText: String {
    switch self {
    case .checkpointDiffers(let field, let recorded, let configured):
      "the checkpoint was made with \(field) \(recorded), this run has \(configured). Resume with "
        + "what the checkpoint was made with, or begin a new run."
    case .corpusChanged(let change):
      "the corpus is not the one that the checkpoint was made on; \(change). Put the old corpus "
        + "back, or carry the run over (corpusChange: .carryOver, --carry-over): unchanged domains "
        + "keep their place, the others begin anew."
    case .checkpointDamaged(let path, let fault):
      "the checkpoint \(path) is damaged: \(fault). Resume from another one."
    case .ledgerTooShort(let path, let byteCount, let recorded):
      "the ledger \(path) has \(byteCount) bytes and not the \(recorded) whole lines' bytes that the "
        + "checkpoint was made after: it is another run's, or was cut. Put the right one back."
    case .ledgerDiffers(let path, let field, let recorded, let configured):
      "the ledger \(path) is another run's: it was written with \(field) \(recorded), this run has "
        + "\(configured). Put the right one back."
    case .ledgerCorpusDiffers(let path, let change):
      "the ledger \(path) is another run's: it was written on another corpus; \(change). Put the "
        + "right one back."
    case .ledgerExists(let path):
      "a ledger stands at \(path) already. Resume its run from a checkpoint, or write to another "
        + "folder; a run that has no checkpoint begins anew once the file is removed."
    case .ledgerLineTooLong(let path, let byteCount, let limit):
      "a line of the ledger \(path) would have some \(byteCount) bytes, and no reader takes more than "
        + "\(limit). The inner products of the domains' gradients are most of it: take fewer "
        + "domains, a policy that does not read them (ac-odm with state=paper), or no ledger."
    case .ledgerDamaged(let path, let line, let reason):
      "line \(line) of the ledger \(path) does not decode: \(reason)"
    case .ledgerStepMissing(let path, let step, let last):
      "the ledger \(path) has no step \(step)"
        + (last.map { "; the last one up to there is \($0)" } ?? "")
        + ". Steps are counted from 1; `headrace inspect` says which ones it has."
    case .replayDiffers(let path, let field, let recorded, let found):
      "the ledger \(path) was written with \(field) \(recorded); here it is \(found). A step is made "
        + "again from the corpus of its run, by a program that reads in the same order."
    case .replayContradicts(let path, let step, let field, let recorded, let found):
      "step \(step) of the ledger \(path) records \(field) as \(recorded), but its line makes "
        + "\(found): the line was changed or damaged. Take another copy of the ledger."
    case .ledgerHeaderDamaged(let path, let byteOffset, let reason):
      "the line at byte \(byteOffset) of the ledger \(path) is no header: \(reason)"
    case .quarantineCollects(let worldSize):
      "\(worldSize) ranks cannot collect damaged frames, since each would skip other rows. Make the "
        + "list with `headrace verify CORPUS --quarantine FILE` and give it to every rank."
    case .quarantineDiffers(let domain, let field, let recorded, let found):
      "the quarantine list is about another corpus: of domain \(domain) the \(field) is \(recorded) "
        + "in the list and \(found) in the corpus. Make the list anew with `headrace verify`."
    case .quarantineDamaged(let path, let reason):
      "the quarantine list \(path) does not decode: \(reason)"
    case .noGoodSequence(let domain):
      "all of domain \(domain) is in quarantine: no sequence is left. Copy or pack it again, or "
        + "leave it out."
    default: ""
    }
  }
}

extension CheckpointFault: CustomStringConvertible {
  /// What is wrong, without the place.
  public var description: String {
    switch self {
    case .magic: "it does not begin as a checkpoint does"
    case .version(let found, let supported):
      "it has version \(found); this program reads version \(supported)"
    case .length(let recorded, let fileByteCount):
      "a recorded length of \(recorded) does not fit its \(fileByteCount) bytes"
    case .checksum(let recorded, let computed):
      "its checksum is \(computed), not \(recorded)"
    case .section(let name): "it has no section \"\(name)\""
    case .sectionName(let name): "a section's name, \"\(name)\", is no text or stands twice"
    case .content(let section, let reason): "its section \"\(section)\" does not decode: \(reason)"
    }
  }
}
