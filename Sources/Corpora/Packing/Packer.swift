internal import CZstd

/// Turns text files into a corpus of token shards.
///
/// Each domain is packed in two phases, with memory that does not grow with the domain. Scattering
/// reads the documents on all threads, tokenizes them, and writes each to one of several bucket
/// files by its key. Gathering loads the buckets in the order of their keys, sorts each in memory,
/// and cuts the documents into frames, which all threads compress.
///
/// 1. A document's key, which is its place in the shuffle, and its split are functions of its text,
///    of the seed and of the domain's name alone.
/// 2. The corpus is the same, byte for byte, for every number of threads and every memory bound.
/// 3. Everything is made in `<output>.partial` and renamed at the end. A run that was stopped or
///    killed is gone on with by the next run of the same plan over the same files: finished
///    domains, and a finished scattering, are kept.
/// 4. What stands at the output or beside it and was not made by packing is never removed.
public struct Packer: Sendable {
  /// What to pack.
  public let plan: PackPlan
  /// How much of the machine to use.
  public let resources: PackResources

  private let tokenizer: any Tokenizer

  /// Creates a packer whose tokenizer is the one that the plan names.
  ///
  /// - Throws: ``CorpusError/packing(_:)`` where a value of the plan is not allowed.
  public init(_ plan: PackPlan, resources: PackResources = PackResources()) throws(CorpusError) {
    guard let tokenizer = TokenizerRegistry.tokenizer(named: plan.tokenizer) else {
      throw .packing(.unknownTokenizer(name: plan.tokenizer, known: TokenizerRegistry.names))
    }
    try self.init(plan, tokenizer: tokenizer, resources: resources)
  }

  /// Creates a packer with a tokenizer of the caller's, whose name takes the place of the plan's.
  ///
  /// - Throws: ``CorpusError/packing(_:)`` where a value of the plan is not allowed.
  public init(
    _ plan: PackPlan, tokenizer: any Tokenizer, resources: PackResources = PackResources()
  ) throws(CorpusError) {
    var plan = plan
    plan.tokenizer = tokenizer.name
    try plan.check(resources)
    try PackPlan.check(tokenizer)
    _ = try plan.width(for: tokenizer)
    self.plan = plan
    self.resources = resources
    self.tokenizer = tokenizer
  }

  /// Packs into the folder `output`.
  ///
  /// A corpus of the same plan that lacks a shard, or part of one, is packed again and replaced.
  ///
  /// - Parameters:
  ///   - output: a path where nothing stands, or the corpus that the same plan made.
  ///   - replacing: whether to pack, and replace the corpus there once the new one is whole, also
  ///     where it is another plan's, or whole.
  ///   - observer: whom to tell about progress.
  ///   - shouldStop: asked often, from any thread; after true, the run ends with
  ///     ``PackingFault/interrupted(path:)``.
  /// - Returns: the counts of each domain.
  /// - Throws: ``CorpusError`` for bad documents, damaged inputs, disk errors, and plans that
  ///   cannot be carried out. No folder stands at `output` then that did not before.
  public func pack(
    to output: String, replacing: Bool = false, observer: (any PackObserver)? = nil,
    shouldStop: @escaping @Sendable () -> Bool = { false }
  ) throws(CorpusError) -> PackReport {
    let output = trimmed(output)
    let meter = PackMeter(
      folder: output + ".partial", observer: observer, shouldStop: shouldStop)
    let tokenWidth = try plan.width(for: tokenizer)
    let files = try list(leavingOut: output, meter: meter)
    let fingerprint = PackFingerprint.text(
      plan, files: files, tokenizer: tokenizer, tokenWidth: tokenWidth,
      zstdVersion: Int(ZSTD_versionNumber()))
    let names = try PackOutput(path: output) { meter.notice($0) }
    try names.recover()
    var replacing = replacing
    if let report = try packedBefore(
      names, fingerprint: fingerprint, replacing: &replacing, meter: meter)
    {
      return report
    }
    let reports = try pack(
      files, tokenWidth: tokenWidth, in: try PackFolder(names.partial, fingerprint: fingerprint),
      fingerprint: fingerprint, name: name(of: output), meter: meter)
    try names.finish(replacing: replacing)
    return PackReport(output: output, wasPacked: false, domains: reports)
  }

  /// The files of each domain.
  private func list(
    leavingOut output: String, meter: PackMeter
  ) throws(CorpusError) -> [[InputFile]] {
    let own = try PackOutput.identities(output: output)
    var files: [[InputFile]] = []
    for domain in plan.domains {
      files.append(
        try InputListing.files(of: domain, leavingOut: own) { meter.notice($0) })
      try meter.checkStop()
    }
    return files
  }

  /// Makes the corpus in `folder`, up to its name.
  private func pack(
    _ files: [[InputFile]], tokenWidth: TokenWidth, in folder: PackFolder, fingerprint: String,
    name: String, meter: PackMeter
  ) throws(CorpusError) -> [PackDomainReport] {
    try tellWhatWasFound(folder, meter: meter)
    meter.begin(totalByteCount: files.joined().reduce(0) { $0 + $1.byteCount })
    var finished: [FinishedDomain] = []
    for (domain, files) in zip(plan.domains, files) {
      finished.append(
        try pack(domain, files: files, tokenWidth: tokenWidth, in: folder, meter: meter))
    }
    meter.finishing()
    let reports = finished.map(\.report)
    try Files.writeJSON(
      PackSeal(fingerprint: fingerprint, plan: plan, domains: reports),
      to: folder.path + "/" + PackSeal.fileName)
    let manifest = CorpusManifest(
      name: plan.name ?? name,
      tokenizer: TokenizerDescription(
        name: tokenizer.name, vocabularySize: tokenizer.vocabularySize,
        endOfText: Int(tokenizer.endOfText)),
      tokenWidth: tokenWidth, domains: finished.map(\.manifest))
    try manifest.write(to: folder.path + "/" + CorpusManifest.fileName)
    return reports
  }

  private func trimmed(_ path: String) -> String {
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    return path
  }

  private func name(of path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? "corpus"
  }

  private func tellWhatWasFound(_ folder: PackFolder, meter: PackMeter) throws(CorpusError) {
    if folder.isStartedAnew { meter.notice(.startedAnew(path: folder.path)) }
    if !folder.isResumed { return }
    var names: [String] = []
    for domain in plan.domains
    where try folder.stored(FinishedDomain.self, FinishedDomain.fileName, of: domain.name) != nil {
      names.append(domain.name)
    }
    meter.notice(.resumed(finishedDomains: names))
  }
}

/// A domain whose shards are whole.
struct FinishedDomain: Sendable, Codable, Equatable {
  static let fileName = "domain.json"
  static let scatterFileName = "scatter.json"

  var manifest: DomainManifest
  var report: PackDomainReport
}

extension Packer {
  /// Returns the report of a corpus that this plan has made before, or nil where there is work to
  /// do; `replacing` is then whether what stands at the output goes.
  private func packedBefore(
    _ names: PackOutput, fingerprint: String, replacing: inout Bool, meter: PackMeter
  ) throws(CorpusError) -> PackReport? {
    if Files.exists(names.path) {
      let seal = PackSeal(in: names.path)
      if let seal, seal.fingerprint == fingerprint {
        let damaged = PackSeal.damagedFile(in: names.path)
        if damaged == nil, !replacing {
          return PackReport(output: names.path, wasPacked: true, domains: seal.domains)
        }
        if let damaged { meter.notice(.damaged(path: damaged)) }
        replacing = true
      }
      if !replacing { throw .packing(.outputExists(path: names.path)) }
      try names.checkReplaceable()
    }
    // A run that was killed before the renames left a whole corpus under the partial name.
    if let seal = PackSeal(in: names.partial), seal.fingerprint == fingerprint,
      PackSeal.damagedFile(in: names.partial) == nil
    {
      try names.finish(replacing: replacing)
      return PackReport(output: names.path, wasPacked: false, domains: seal.domains)
    }
    return nil
  }

  /// Packs one domain, from wherever an earlier run left it.
  private func pack(
    _ domain: PackDomain, files: [InputFile], tokenWidth: TokenWidth, in folder: PackFolder,
    meter: PackMeter
  ) throws(CorpusError) -> FinishedDomain {
    let workFolder = try folder.workFolder(of: domain.name)
    meter.begin(domain: domain.name, byteCount: files.reduce(0) { $0 + $1.byteCount })
    if let finished = try folder.stored(
      FinishedDomain.self, FinishedDomain.fileName, of: domain.name)
    {
      guard finished.isSound(named: domain.name) else {
        throw damagedWork(workFolder, FinishedDomain.fileName)
      }
      let tokenCount = finished.report.tokenCount + finished.report.heldOutTokenCount
      if folder.holds(finished) {
        meter.beginGathering(tokenCount: tokenCount)
        meter.wrote(tokenCount: tokenCount)
        return finished
      }
      try folder.forget(domain.name)
    }
    let scattered = try scatter(
      domain, files: files, tokenWidth: tokenWidth, in: folder, workFolder: workFolder,
      meter: meter)
    let counts = scattered.counts
    if counts.documentCount == 0 { throw .packing(.noDocuments(domain: domain.name)) }
    if counts.train.documentCount == 0 {
      throw .packing(
        .nothingToTrainOn(domain: domain.name, documentCount: counts.documentCount))
    }
    meter.beginGathering(tokenCount: counts.tokenCount)
    let splits = try gather(
      scattered, domain: domain, tokenWidth: tokenWidth, in: folder, workFolder: workFolder,
      meter: meter)
    let manifest = DomainManifest(name: domain.name, splits: splits)
    let finished = FinishedDomain(
      manifest: manifest, report: PackDomainReport(manifest, counts: counts))
    try folder.store(finished, FinishedDomain.fileName, of: domain.name)
    try folder.removeBuckets(of: domain.name)
    return finished
  }

  private func damagedWork(_ folder: String, _ name: String) -> CorpusError {
    .packing(.bucketDamaged(path: folder + "/" + name, byteOffset: 0))
  }

  private func scatter(
    _ domain: PackDomain, files: [InputFile], tokenWidth: TokenWidth, in folder: PackFolder,
    workFolder: String, meter: PackMeter
  ) throws(CorpusError) -> ScatterResult {
    if let stored = try folder.stored(
      ScatterResult.self, FinishedDomain.scatterFileName, of: domain.name)
    {
      guard stored.isSound else {
        throw damagedWork(workFolder, FinishedDomain.scatterFileName)
      }
      return stored
    }
    let result = try Scatter(
      plan, domain: domain, files: files, tokenizer: tokenizer, tokenWidth: tokenWidth,
      folder: workFolder, resources: resources, meter: meter
    ).run()
    try folder.store(result, FinishedDomain.scatterFileName, of: domain.name)
    return result
  }

  private func gather(
    _ scattered: ScatterResult, domain: PackDomain, tokenWidth: TokenWidth, in folder: PackFolder,
    workFolder: String, meter: PackMeter
  ) throws(CorpusError) -> [Split: [ShardDescription]] {
    // A frame in flight is there twice, as tokens and compressed; half of the memory is for a
    // bucket.
    let frameByteCount = 2 * tokensPerFrame * tokenWidth.byteCount
    let slotCount = min(
      2 * resources.threadCount, max(2, resources.memoryByteCount / 4 / frameByteCount))
    let gather = Gather(
      folder: workFolder, byteLimit: resources.memoryByteCount / 2, tokenWidth: tokenWidth,
      meter: meter)
    let shardFolder = try folder.shardFolder(of: domain.name)
    return try FramePipeline.run(
      threadCount: resources.threadCount, slotCount: slotCount, tokenWidth: tokenWidth,
      level: plan.level, endOfText: tokenizer.endOfText
    ) { (pipeline) throws(CorpusError) in
      var splits: [Split: [ShardDescription]] = [:]
      for (split, buckets) in [(Split.train, scattered.train), (.heldOut, scattered.heldOut)] {
        var writer = SplitWriter(
          pipeline, folder: shardFolder, domain: domain.name, split: split, plan: plan,
          tokenWidth: tokenWidth, endOfText: tokenizer.endOfText, meter: meter)
        try gather.gather(buckets, into: &writer)
        try writer.finish()
        splits[split] = writer.shards
      }
      return splits
    }
  }
}
