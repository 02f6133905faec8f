/// A shard that is verified part by part, by any threads.
protocol ShardCheck: Sendable {
  /// The parts, at least one.
  var partCount: Int { get }
  /// Whether parts are frames, which are counted one by one.
  var hasFrames: Bool { get }
  /// Whether documents and tokens are counted by reading, because nothing records them.
  var isCounted: Bool { get }
  /// Whether nothing in the shard tells damage from data.
  var isUnprotected: Bool { get }
  /// The algorithms of hashes that are recorded of the shard, where none of them can be compared.
  var unknownHashes: [String] { get }

  /// The bytes of the shard's file that a part takes, as far as they are not told while it is read.
  func byteCount(ofPart part: Int) -> Int

  /// Verifies a part and notes what is wrong with it.
  ///
  /// `advance` is called with the bytes of the file that were read, where a part takes long.
  func check(
    part: Int, with tools: CheckTools, into outcome: inout PartOutcome, advance: (Int) -> Void)
}

extension ShardCheck {
  var hasFrames: Bool { false }
  var isCounted: Bool { false }
  var unknownHashes: [String] { [] }
}

/// What one thread verifies with.
final class CheckTools {
  let decoder: FrameDecoder
  /// Room for the tokens of a frame.
  let tokens: UnsafeMutableRawBufferPointer
  let tokenWidth: TokenWidth

  init(tokenWidth: TokenWidth) throws(CorpusError) {
    decoder = try FrameDecoder(verifiesContent: true)
    tokens = .allocate(byteCount: tokensPerFrame * tokenWidth.byteCount, alignment: 64)
    self.tokenWidth = tokenWidth
  }

  deinit { tokens.deallocate() }

  /// Room for some tokens, at most a frame.
  func room(forTokens count: Int) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: tokens[..<(count * tokenWidth.byteCount)])
  }
}

/// What verifying a part of a shard found out.
struct PartOutcome {
  /// Something that is wrong, and where.
  struct Finding {
    var frame: Int?
    var sample: Int?
    var line: Int?
    var byteOffset: Int?
    var error: CorpusError

    init(_ error: CorpusError) {
      self.error = error
      switch error {
      case .indexDamaged(_, let byteOffset, _), .cannotRead(_, let byteOffset, _),
        .endsEarly(_, let byteOffset, _, _), .megatronDamaged(_, let byteOffset, _):
        self.byteOffset = byteOffset
      case .frameDamaged(_, let frame, let byteOffset, _),
        .textFrame(_, _, let frame, let byteOffset):
        (self.frame, self.byteOffset) = (frame, byteOffset)
      case .mdsDamaged(_, let sample, let byteOffset, _),
        .foreignToken(_, let sample, let byteOffset, _, _):
        (self.sample, self.byteOffset) = (sample, byteOffset)
      case .document(_, let place), .packing(.token(_, _, let place)):
        (frame, line, byteOffset) = (place.frame, place.line, place.byteOffset)
      default: break
      }
    }
  }

  /// The documents and tokens that were read, where nothing records them.
  var documentCount = 0
  var tokenCount = 0
  /// The first faults: ``VerificationReport/faultLimit`` at most.
  private(set) var findings: [Finding] = []
  /// All faults.
  private(set) var faultCount = 0

  /// Notes a fault.
  mutating func note(_ error: CorpusError) { note(Finding(error)) }

  mutating func note(_ finding: Finding) {
    faultCount += 1
    if findings.count < VerificationReport.faultLimit { findings.append(finding) }
  }
}

extension Corpus {
  /// Opens a shard in order to verify it.
  func openCheck(_ shardIndex: Int, of split: Split, domainIndex: Int) throws(CorpusError)
    -> any ShardCheck
  {
    let domain = domains[domainIndex]
    let description = domain.shards[split, default: []][shardIndex]
    let source = domain.sources[split]?[shardIndex] ?? .native
    switch (source, domain.format) {
    case (.mds(let entry, let folder), .mds(let column)):
      return try MDSCheck(
        entry, column: column, tokenizer: tokenizer, folder: folder, domain: domain.name,
        tokenCount: description.tokenCount, access: access)
    case (.megatron(let index, let prefix), _):
      return try MegatronCheck(
        prefix: prefix, index: index, tokenizer: tokenizer, domain: domain.name, access: access)
    case (.text, .jsonLines):
      return try TextCheck(path: path(of: description), access: access) {
        () throws(CorpusError) in
        try openText(shardIndex, of: split, domainIndex: domainIndex, from: TextCursor())
      }
    default:
      return FrameCheck(
        try openShard(shardIndex, of: split, domainIndex: domainIndex), tokenizer: tokenizer)
    }
  }
}
