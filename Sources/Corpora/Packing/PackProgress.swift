/// How far packing has come.
public struct PackProgress: Sendable, Equatable {
  /// What is being done to the domain.
  public enum Phase: String, Sendable {
    /// Inputs are being found.
    case listing
    /// Documents are read, tokenized, and written to bucket files by key.
    case scattering
    /// Buckets are sorted and written to shards.
    case gathering
    /// The corpus is being given its name.
    case finishing
  }

  /// The current phase.
  public var phase = Phase.listing
  /// The domain, or empty before the first.
  public var domain = ""
  /// The bytes of input files, as they lie on disk, that have been read; those of finished domains
  /// count.
  public var byteCount = 0
  /// The bytes of all input files.
  public var totalByteCount = 0
  /// The documents read.
  public var documentCount = 0
  /// The tokens that have been written to shards.
  public var tokenCount = 0
  /// The tokens that the current domain has, once it is scattered.
  public var domainTokenCount = 0
  /// The share of the whole work that is done, in [0, 1].
  public var fraction = 0.0
}

/// What a packer tells the program around it.
public protocol PackObserver: Sendable {
  /// Called often, from any thread, one call at a time; it should return soon.
  func packing(_ progress: PackProgress)
  /// Called once for each thing that a user should know, such as work that was found and is kept.
  func packing(notice: PackNotice)
}

/// Something that happens while packing and is no error.
public enum PackNotice: Sendable, Equatable {
  /// An interrupted run was found; these domains are finished, and one may be scattered.
  case resumed(finishedDomains: [String])
  /// An interrupted run of another plan, or over other inputs, was found and removed.
  case startedAnew(path: String)
  /// A corpus of the same plan lacks the file at `path`, or part of it, and is packed again.
  case damaged(path: String)
  /// The corpus that was replaced stands at `path`: it holds files that packing did not make.
  case kept(path: String)
  /// A symbolic link in an input folder leads to nothing and was passed over.
  case danglingLink(path: String)
  /// A document was left out.
  case skipped(DocumentFault, at: TextPlace)
}

/// Adds up what threads report and passes it on.
final class PackMeter: Sendable {
  private struct Sums {
    var progress = PackProgress()
    /// Bytes of the domains that are finished.
    var finishedByteCount = 0
    var domainByteCount = 0
    var domainReadByteCount = 0
    var domainWrittenTokenCount = 0
  }

  private let sums = Locked(Sums())
  private let observer: (any PackObserver)?
  private let shouldStop: @Sendable () -> Bool
  private let folder: String
  /// Reading and tokenizing take about this share of a domain's time, sorting and compressing the
  /// rest.
  private static let scatterShare = 0.3

  init(
    folder: String, observer: (any PackObserver)?, shouldStop: @escaping @Sendable () -> Bool
  ) {
    self.folder = folder
    self.observer = observer
    self.shouldStop = shouldStop
  }

  /// Throws where the caller wants packing to stop.
  func checkStop() throws(CorpusError) {
    if shouldStop() { throw .packing(.interrupted(path: folder)) }
  }

  func notice(_ notice: PackNotice) { observer?.packing(notice: notice) }

  func begin(totalByteCount: Int) { update { $0.progress.totalByteCount = totalByteCount } }

  func begin(domain: String, byteCount: Int) {
    update {
      $0.finishedByteCount += $0.domainByteCount
      $0.domainByteCount = byteCount
      $0.domainReadByteCount = 0
      $0.domainWrittenTokenCount = 0
      $0.progress.domain = domain
      $0.progress.phase = .scattering
      $0.progress.domainTokenCount = 0
    }
  }

  func read(byteCount: Int, documentCount: Int) {
    update {
      $0.domainReadByteCount = min($0.domainReadByteCount + byteCount, $0.domainByteCount)
      $0.progress.documentCount += documentCount
    }
  }

  /// The domain is scattered, now or by an earlier run.
  func beginGathering(tokenCount: Int) {
    update {
      $0.domainReadByteCount = $0.domainByteCount
      $0.progress.phase = .gathering
      $0.progress.domainTokenCount = tokenCount
    }
  }

  func wrote(tokenCount: Int) {
    update {
      $0.domainWrittenTokenCount += tokenCount
      $0.progress.tokenCount += tokenCount
    }
  }

  func finishing() { update { $0.progress.phase = .finishing } }

  private func update(_ change: (inout Sums) -> Void) {
    sums.withLock { sums in
      change(&sums)
      sums.progress.byteCount = sums.finishedByteCount + sums.domainReadByteCount
      sums.progress.fraction = Self.fraction(sums)
      observer?.packing(sums.progress)
    }
  }

  private static func fraction(_ sums: Sums) -> Double {
    if sums.progress.phase == .finishing { return 1 }
    func ratio(_ part: Int, _ whole: Int) -> Double {
      whole > 0 ? min(1, Double(part) / Double(whole)) : 0
    }
    let domain =
      scatterShare * ratio(sums.domainReadByteCount, sums.domainByteCount) + (1 - scatterShare)
      * ratio(sums.domainWrittenTokenCount, sums.progress.domainTokenCount)
    let total = max(1, Double(sums.progress.totalByteCount))
    return (Double(sums.finishedByteCount) + domain * Double(sums.domainByteCount)) / total
  }
}
