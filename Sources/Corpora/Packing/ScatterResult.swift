/// The counts of one split.
struct SplitCounts: Sendable, Codable, Equatable {
  var documentCount = 0
  var tokenCount = 0
}

/// A document that was left out.
struct SkippedDocument: Sendable, Equatable {
  let file: Int
  let fault: DocumentFault
  let place: TextPlace
}

/// What scattering one domain, or a part of it, came to.
struct ScatterCounts: Sendable, Codable, Equatable {
  var train = SplitCounts()
  var heldOut = SplitCounts()
  /// The bytes of all documents' text.
  var textByteCount = 0
  /// Documents without text, which are left out.
  var emptyCount = 0
  /// Documents that could not be packed and were left out.
  var skippedCount = 0

  var documentCount: Int { train.documentCount + heldOut.documentCount }
  var tokenCount: Int { train.tokenCount + heldOut.tokenCount }

  mutating func add(_ other: ScatterCounts) {
    train.documentCount += other.train.documentCount
    train.tokenCount += other.train.tokenCount
    heldOut.documentCount += other.heldOut.documentCount
    heldOut.tokenCount += other.heldOut.tokenCount
    textByteCount += other.textByteCount
    emptyCount += other.emptyCount
    skippedCount += other.skippedCount
  }
}

/// A scattered domain: its bucket files, in key order.
struct ScatterResult: Sendable, Codable, Equatable {
  var train: [BucketDescription]
  var heldOut: [BucketDescription]
  var counts: ScatterCounts
}

// MARK: What is read again

/// The most of anything that is counted: sums of a few counts fit an `Int`.
private let countLimit = 1 << 60

extension ScatterResult {
  /// Whether a run can have written this: the numbers fit each other, and the files are its own.
  ///
  /// What they hold is compared when they are read.
  var isSound: Bool {
    let buckets = train + heldOut
    let rows = [counts.train, counts.heldOut].flatMap { [$0.documentCount, $0.tokenCount] }
    return Self.areCounts(rows)
      && Self.areCounts([counts.textByteCount, counts.emptyCount, counts.skippedCount])
      && buckets.allSatisfy {
        CorpusManifest.isPlainName($0.fileName) && (0...(1 << 44)).contains($0.byteCount)
          && (0...($0.byteCount / BucketEntryHead.byteCount)).contains($0.entryCount)
      }
      && train.reduce(0) { $0 + $1.entryCount } == counts.train.documentCount
      && heldOut.reduce(0) { $0 + $1.entryCount } == counts.heldOut.documentCount
  }

  fileprivate static func areCounts(_ counts: [Int]) -> Bool {
    counts.allSatisfy { (0...countLimit).contains($0) }
  }
}

extension FinishedDomain {
  /// Whether a run can have written this of the domain of that name.
  func isSound(named name: String) -> Bool {
    let (path, counts) = (Self.fileName, report)
    var sum = 0
    for shard in manifest.splits.values.joined() {
      do throws(CorpusError) {
        try ManifestLimits.check(shard, path: path)
        sum += max(shard.tokenCount, shard.byteCount)
        try ManifestLimits.checkSum(sum, path: path)
      } catch {
        return false
      }
      guard CorpusManifest.isSafePath(shard.path) else { return false }
    }
    return manifest.name == name && counts.name == name
      && manifest.fingerprint
        == DomainManifest.fingerprint(name: name, splits: manifest.splits)
      && ScatterResult.areCounts([
        counts.documentCount, counts.tokenCount, counts.heldOutDocumentCount,
        counts.heldOutTokenCount, counts.textByteCount, counts.compressedByteCount,
        counts.emptyDocumentCount, counts.skippedDocumentCount,
      ])
  }
}
