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
