#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Finds the shards that a spec names, and how much each holds.
struct SpecResolver {
  let spec: CorpusSpec
  let path: String
  let folder: String
  let access: FileAccess
  let tokenWidth: TokenWidth
  /// What tokenizes text; nil if no domain is text.
  let tokenizer: (any Tokenizer)?

  private let formats: [DomainFormat]

  init(spec: CorpusSpec, path: String, tokenizer: (any Tokenizer)?, access: FileAccess)
    throws(CorpusError)
  {
    self.spec = spec
    self.access = access
    self.path = path
    folder = DurableFile.parent(of: path)
    let described = spec.tokenizer
    try ManifestLimits.check(described, domains: spec.domains.map(\.name), path: path)
    tokenWidth = .holding(vocabularySize: described.vocabularySize)
    var formats: [DomainFormat] = []
    for domain in spec.domains { formats.append(try domain.domainFormat(path: path)) }
    self.formats = formats
    let text = zip(spec.domains, formats).first { _, format in
      if case .jsonLines = format { true } else { false }
    }
    guard let (domain, _) = text else {
      self.tokenizer = nil
      return
    }
    guard let found = tokenizer ?? TokenizerRegistry.tokenizer(named: described.name) else {
      throw .spec(
        path: path, domain: domain.name,
        .tokenizer(name: described.name, known: TokenizerRegistry.names))
    }
    for (field, recorded, value) in [
      ("name", described.name, found.name),
      ("vocabulary size", "\(described.vocabularySize)", "\(found.vocabularySize)"),
      ("end of text", "\(described.endOfText)", "\(found.endOfText)"),
    ] where recorded != value {
      throw .spec(
        path: path, domain: domain.name,
        .tokenizerDiffers(field: field, recorded: recorded, found: value))
    }
    self.tokenizer = found
  }

  /// Returns the domains with all that is known of their shards.
  func domains() throws(CorpusError) -> [Domain] {
    var domains: [Domain] = []
    var total = 0
    for (domain, format) in zip(spec.domains, formats) {
      var shards: [Split: [ShardDescription]] = [:]
      var sources: [Split: [ShardSource]] = [:]
      var sampleTokenCount: Int?
      var seen: [FilePlace: String] = [:]
      for (split, patterns) in [(Split.train, domain.train), (.heldOut, domain.heldOut ?? [])] {
        let found = try self.shards(
          of: domain, format: format, patterns: patterns, seen: &seen)
        if !found.isEmpty, found.allSatisfy({ $0.description.byteCount == 0 }) {
          throw .spec(path: path, domain: domain.name, .allEmpty(split: split))
        }
        shards[split] = found.map(\.description)
        sources[split] = found.map(\.source)
        for shard in found {
          try expectSameLength(shard, as: &sampleTokenCount, domain: domain.name)
          try ManifestLimits.check(shard.description, path: path, mayBeEmpty: shard.mayBeEmpty)
          total += max(shard.description.tokenCount, shard.description.byteCount)
          try ManifestLimits.checkSum(total, path: path)
        }
      }
      domains.append(
        Domain(
          name: domain.name,
          fingerprint: DomainManifest.fingerprint(
            name: domain.name, splits: shards, reading: reading(format)),
          format: format, shards: shards, sources: sources,
          sampleTokenCount: sampleTokenCount))
    }
    return domains
  }

  /// What decides the tokens of shards that are not native, beside the shards: one line, in which
  /// names come with their sizes, so that no two ways have the same.
  private func reading(_ format: DomainFormat) -> String {
    func sized(_ text: String) -> String { "\(text.utf8.count) \(text)" }
    let tokens =
      "\(sized(spec.tokenizer.name)) \(spec.tokenizer.vocabularySize) \(spec.tokenizer.endOfText)"
    switch format {
    case .native: return ""
    case .mds(let column):
      return "mds \(sized(column.name)) \(column.storedType?.rawValue ?? "-") "
        + "\(column.samples.rawValue) \(tokens)\n"
    case .megatron: return "megatron \(tokens)\n"
    case .jsonLines(let field): return "jsonl \(sized(field)) \(tokens)\n"
    }
  }

  /// What tells a shard's file from the others, whatever path leads to it.
  private enum FilePlace: Hashable {
    case file(FileIdentity)
    /// A file that opening a spec does not look at: MDS shards may be very many. Links in their
    /// own place are taken for files of their own.
    case named(String, in: FileIdentity)
  }

  /// A shard that was found.
  private struct Found {
    var description: ShardDescription
    var source: ShardSource
    var place: FilePlace
    /// The tokens of every sample, where each is a sequence and there is one.
    var sampleTokenCount: Int?

    /// Whether a file of no bytes is whole: lines of text, of which there may be none.
    ///
    /// What is compressed has a frame even so.
    var mayBeEmpty: Bool {
      source == .text && !description.path.hasSuffix(".zst")
    }
  }

  /// Refuses samples of another length than those of the shards before.
  private func expectSameLength(_ shard: Found, as known: inout Int?, domain: String)
    throws(CorpusError)
  {
    guard let count = shard.sampleTokenCount else { return }
    if let known, known != count {
      throw .spec(
        path: path, domain: domain,
        .sampleLength(path: shard.description.path, found: count, expected: known))
    }
    known = count
  }

  /// Finds the shards of a split; none may be one of those seen before in the domain, of the other
  /// split included.
  ///
  /// Two domains may read one file: in two columns or fields, or some of its shards more often.
  private func shards(
    of domain: SpecDomain, format: DomainFormat, patterns: [String],
    seen: inout [FilePlace: String]
  ) throws(CorpusError) -> [Found] {
    var found: [Found] = []
    for pattern in patterns {
      let suffix = if case .megatron = format { ".idx" } else { "" }
      let matches = try PathPattern.matches(
        pattern, suffix: suffix, in: folder, access: access)
      guard !matches.isEmpty else {
        throw .spec(path: path, domain: domain.name, .matchesNothing(pattern: pattern))
      }
      for match in matches {
        for shard in try shards(at: match, of: domain, format: format) {
          let shardPath = shard.description.path
          // Nothing would be read twice of empty files, which a store of contents has but one of.
          if shard.description.byteCount > 0,
            let earlier = seen.updateValue(shardPath, forKey: shard.place)
          {
            throw .spec(
              path: path, domain: domain.name,
              .matchedTwice(path: shardPath, earlierPath: earlier))
          }
          found.append(below(shard))
        }
      }
    }
    return found
  }

  /// Names a shard by its path below the spec's folder, so that it has one name however the spec
  /// was opened.
  private func below(_ shard: Found) -> Found {
    var shard = shard
    if shard.description.path.hasPrefix(folder + "/") {
      shard.description.path.removeFirst(folder.count + 1)
    }
    return shard
  }

  private func shards(at match: String, of domain: SpecDomain, format: DomainFormat)
    throws(CorpusError) -> [Found]
  {
    switch format {
    case .native: [try nativeShard(at: match, of: domain)]
    case .mds(let column): try mdsShards(in: match, column: column, of: domain)
    case .megatron: [try megatronShard(prefix: match, of: domain)]
    case .jsonLines: [try textFile(at: match)]
    }
  }

  /// Counts the tokens of the MDS shards of a folder.
  private func mdsShards(in folder: String, column: MDSColumn, of domain: SpecDomain)
    throws(CorpusError) -> [Found]
  {
    var found: [Found] = []
    var identities: [String: FileIdentity] = [:]
    for entry in try MDSFolder.read(folder: folder, access: access) {
      let count = try entry.count(
        column, in: folder, domain: domain.name, access: access)
      let description = ShardDescription(
        path: folder + "/" + entry.path, tokenCount: count.tokenCount,
        documentCount: min(count.documentCount, count.tokenCount),
        byteCount: entry.compression == nil ? entry.rawByteCount : entry.storedByteCount,
        checksum: entry.checksum)
      found.append(
        Found(
          description: description, source: .mds(entry, folder: folder),
          place: .named(
            String(description.path.split(separator: "/").last ?? ""),
            in: try identity(
              of: DurableFile.parent(of: description.path), knowing: &identities)),
          sampleTokenCount: column.samples == .sequences ? count.sampleTokenCount : nil))
    }
    return found
  }

  /// Returns which folder stands at a path.
  private func identity(of folder: String, knowing known: inout [String: FileIdentity])
    throws(CorpusError) -> FileIdentity
  {
    if let identity = known[folder] { return identity }
    guard let status = try access.status(of: folder) else {
      throw .cannotOpen(path: folder, code: ENOENT)
    }
    known[folder] = status.version.identity
    return status.version.identity
  }

  private func megatronShard(prefix: String, of domain: SpecDomain) throws(CorpusError)
    -> Found
  {
    let index = try MegatronIndex.read(
      prefix: prefix, domain: domain.name, access: access)
    let path = prefix + ".bin"
    guard let status = try access.status(of: path) else {
      throw .cannotOpen(path: path, code: ENOENT)
    }
    return Found(
      description: ShardDescription(
        path: path, tokenCount: index.tokenCount,
        documentCount: min(index.documentCount, index.tokenCount),
        byteCount: max(1, index.tokenCount * index.type.byteCount), checksum: index.checksum),
      source: .megatron(index, prefix: prefix), place: .file(status.version.identity))
  }

  /// Reads the index of a native shard.
  private func nativeShard(at path: String, of domain: SpecDomain) throws(CorpusError) -> Found {
    let file = try FileReader(path: path, access: access)
    let (index, checksum) = try ShardIndex.read(from: file, domain: domain.name)
    guard index.tokenWidth == tokenWidth else {
      throw .spec(
        path: self.path, domain: domain.name,
        .tokenWidth(
          path: path, found: index.tokenWidth.byteCount, expected: tokenWidth.byteCount))
    }
    return Found(
      description: ShardDescription(
        path: path, tokenCount: index.tokenCount, documentCount: index.documentCount,
        byteCount: file.byteCount, checksum: checksum),
      source: .native, place: .file(file.version.identity))
  }

  /// Describes a file of text by its size and a hash of its beginning and end: enough to notice
  /// that another file stands there, without reading it all.
  private func textFile(at path: String) throws(CorpusError) -> Found {
    let file = try FileReader(path: path, access: access)
    let sampleByteCount = min(64 << 10, file.byteCount)
    let bytes =
      try file.bytes(at: 0, count: sampleByteCount)
      + file.bytes(at: file.byteCount - sampleByteCount, count: sampleByteCount)
    let description = ShardDescription(
      path: path, tokenCount: 0, documentCount: 0, byteCount: file.byteCount,
      checksum: XXHash.hash64(bytes) ^ UInt64(file.byteCount))
    return Found(
      description: description, source: .text, place: .file(file.version.identity))
  }
}
