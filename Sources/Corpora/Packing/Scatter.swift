internal import Synchronization

/// The first phase of packing a domain: reads its documents on several threads, tokenizes them, and
/// writes each to the bucket file of its key.
///
/// The order of entries in a bucket depends on the threads; what is in it does not, and gathering
/// sorts it.
final class Scatter: Sendable {
  let plan: PackPlan
  let domain: PackDomain
  let files: [InputFile]
  let tokenizer: any Tokenizer
  let tokenWidth: TokenWidth
  let keys: DocumentKeys
  let meter: PackMeter
  let allowance: LargeDocumentAllowance
  private let folder: String
  private let resources: PackResources
  /// How many skipped documents are named.
  private static let namedLimit = 20

  /// Prepares the scattering of a domain into bucket files in `folder`.
  init(
    _ plan: PackPlan, domain: PackDomain, files: [InputFile], tokenizer: any Tokenizer,
    tokenWidth: TokenWidth, folder: String, resources: PackResources, meter: PackMeter
  ) {
    self.plan = plan
    self.domain = domain
    self.files = files
    self.tokenizer = tokenizer
    self.tokenWidth = tokenWidth
    self.folder = folder
    self.resources = resources
    self.meter = meter
    keys = DocumentKeys(plan: plan, domain: domain.name)
    let least = PackResources.leastMemory(maximumDocumentByteCount: plan.maximumDocumentByteCount)
    allowance = LargeDocumentAllowance(count: resources.memoryByteCount / least)
  }

  /// What the threads have come to together.
  private struct Sum {
    var counts = ScatterCounts()
    var skipped: [SkippedDocument] = []
    /// By portion, where every portion has its own bucket files.
    var buckets: [Int: (train: [BucketDescription], heldOut: [BucketDescription])] = [:]
  }

  /// Scatters all files.
  func run() throws(CorpusError) -> ScatterResult {
    let portions = Portion.portions(of: files, rangeByteCount: resources.rangeByteCount)
    let shared = plan.shufflesDocuments ? try sharedBuckets() : nil
    let sum = Locked(Sum())
    // The largest first, so that no thread is left alone with one at the end.
    let order = portions.indices.sorted { portions[$0].byteCount > portions[$1].byteCount }
    let next = Atomic(0)
    let stopped = Atomic(false)
    try runOnThreads(resources.threadCount) { () throws(CorpusError) in
      do throws(CorpusError) {
        while !stopped.load(ordering: .relaxed) {
          let turn = next.add(1, ordering: .relaxed).oldValue
          guard turn < order.count else { return }
          try self.scatter(portions[order[turn]], number: order[turn], shared: shared, into: sum)
        }
      } catch {
        stopped.store(true, ordering: .relaxed)
        throw error
      }
    }
    let total = sum.withLock { $0 }
    nameSkipped(total.skipped)
    if let shared {
      return ScatterResult(
        train: try shared.train.finish(durably: true),
        heldOut: try shared.heldOut.finish(durably: true), counts: total.counts)
    }
    let numbers = total.buckets.keys.sorted()
    return ScatterResult(
      train: numbers.flatMap { total.buckets[$0]?.train ?? [] },
      heldOut: numbers.flatMap { total.buckets[$0]?.heldOut ?? [] }, counts: total.counts)
  }

  private func scatter(
    _ portion: Portion, number: Int, shared: SplitBuckets?, into sum: Locked<Sum>
  ) throws(CorpusError) {
    let buckets: SplitBuckets
    if let shared { buckets = shared } else { buckets = try ownBuckets(of: number) }
    let scatterer = DocumentScatterer(self, buckets: buckets)
    try scatterer.scatter(portion)
    var own: (train: [BucketDescription], heldOut: [BucketDescription])?
    if shared == nil {
      own = (try buckets.train.finish(durably: true), try buckets.heldOut.finish(durably: true))
    }
    sum.withLock {
      $0.counts.add(scatterer.counts)
      $0.skipped += scatterer.skipped
      $0.skipped.sort { ($0.file, $0.place.byteOffset) < ($1.file, $1.place.byteOffset) }
      $0.skipped.removeLast(max(0, $0.skipped.count - Self.namedLimit))
      $0.buckets[number] = own
    }
  }

  private func nameSkipped(_ skipped: [SkippedDocument]) {
    for document in skipped { meter.notice(.skipped(document.fault, at: document.place)) }
  }

  /// One set of bucket files per split, which all threads share.
  private func sharedBuckets() throws(CorpusError) -> SplitBuckets {
    // An estimate only: what turns out larger than memory is split again when it is gathered.
    var byteCount = 0
    for file in files { byteCount += file.byteCount * (file.format.isCompressed ? 4 : 1) }
    let wanted = byteCount * tokenWidth.byteCount / max(1, resources.memoryByteCount / 6)
    let heldOut = Int(Double(wanted) * plan.heldOutFraction)
    let train = KeyBits(bitCount: Self.bitCount(holding: wanted))
    let heldOutBits = KeyBits(bitCount: Self.bitCount(holding: heldOut))
    let share = resources.memoryByteCount / 8 / (train.bucketCount + heldOutBits.bucketCount)
    let buffer = min(max(share, 4 << 10), 256 << 10)
    return SplitBuckets(
      train: try BucketSet(folder: folder, prefix: "train", bits: train, bufferByteCount: buffer),
      heldOut: try BucketSet(
        folder: folder, prefix: "held_out", bits: heldOutBits, bufferByteCount: buffer))
  }

  /// The bucket files of one portion, whose documents are in order already.
  private func ownBuckets(of number: Int) throws(CorpusError) -> SplitBuckets {
    let bits = KeyBits(bitCount: 0)
    return SplitBuckets(
      train: try BucketSet(
        folder: folder, prefix: "train-\(number)", bits: bits, bufferByteCount: 128 << 10),
      heldOut: try BucketSet(
        folder: folder, prefix: "held_out-\(number)", bits: bits, bufferByteCount: 128 << 10))
  }

  /// The bits of at least `bucketCount` buckets, at most 128 of them: each is an open file.
  private static func bitCount(holding bucketCount: Int) -> Int {
    min(7, Int.bitWidth - max(0, bucketCount).leadingZeroBitCount)
  }
}

/// The bucket files of both splits.
struct SplitBuckets: Sendable {
  let train: BucketSet
  let heldOut: BucketSet
}
