internal import Corpora
internal import Loading

/// The content of `configuration.json`: the configuration and what it was resolved against.
struct ResolvedRun: Sendable, Equatable, Codable {
  var format = "headrace-run"
  var version = 1
  var toolVersion: String
  var instructionSet: String
  var corpus: String
  var tokenizer: String
  var vocabularySize: Int
  var domains: [Domain]
  var configuration: RunConfiguration

  /// A domain of the corpus that the run was begun with.
  struct Domain: Sendable, Equatable, Codable {
    var name: String
    var fingerprint: String
    var trainTokenCount: Int
    var heldOutTokenCount: Int

    /// What tells the domain from others.
    var key: CorpusChange.Key { CorpusChange.Key(name: name, fingerprint: fingerprint) }
  }

  /// What may differ when a run goes on, because no result depends on it: by the beginnings of
  /// dotted paths.
  private static let free = [
    "tool_version", "instruction_set", "corpus", "configuration.corpus_path",
    "configuration.thread_count", "configuration.checkpoints.", "configuration.loader.byte_budget",
    "configuration.loader.decode_thread_count",
  ]

  /// What may differ beside that when a run is carried over to a changed corpus; the loader refuses
  /// the caps of an unchanged domain for itself.
  private static let freeOnChange = [
    "domains.", "configuration.policy_options.", "configuration.loader.epoch_caps.",
    "configuration.loader.quarantine.",
  ]

  init(
    configuration: RunConfiguration, corpus: Corpus, toolVersion: String, instructionSet: String
  ) {
    self.configuration = configuration
    self.toolVersion = toolVersion
    self.instructionSet = instructionSet
    self.corpus = corpus.name
    tokenizer = corpus.tokenizer.name
    vocabularySize = corpus.tokenizer.vocabularySize
    domains = corpus.domains.map {
      Domain(
        name: $0.name, fingerprint: $0.fingerprint, trainTokenCount: $0.tokenCount(of: .train),
        heldOutTokenCount: $0.tokenCount(of: .heldOut))
    }
  }

  /// Writes the file durably.
  func write(to folder: RunFolder) throws(RunError) {
    do throws(CorpusError) {
      try DurableFile.write(RunJSON.encode(self), to: folder.configurationPath)
    } catch {
      throw .corpus(error)
    }
  }

  /// Throws the first field that differs from what the folder records, by name.
  ///
  /// - Returns: whether something differs that only a change of the corpus may change.
  func requireSame(
    asRecordedAt folder: RunFolder, rule: CorpusChangeRule, observer: any RunObserver
  ) throws(RunError) -> Bool {
    let path = folder.configurationPath
    let recorded: ResolvedRun = try RunFolder.decode(path)
    let old = RunJSON.leaves(of: RunJSON.encode(recorded))
    let new = RunJSON.leaves(of: RunJSON.encode(self))
    // What follows from another field unless it is given comes last, so that the cause is named.
    let fields = Set(old.keys).union(new.keys).sorted()
    func isDerived(_ field: String) -> Bool {
      field.hasPrefix("configuration.evaluation.") || field.hasPrefix("configuration.schedule.")
    }
    let ordered = fields.filter { !isDerived($0) } + fields.filter(isDerived)
    func isOneOf(_ free: [String], _ field: String) -> Bool {
      free.contains { $0 == field || ($0.hasSuffix(".") && field.hasPrefix($0)) }
    }
    var hasChanged = false
    for field in ordered where old[field] != new[field] {
      if isOneOf(Self.free, field) { continue }
      if rule == .carryOver, isOneOf(Self.freeOnChange, field) {
        hasChanged = true
        continue
      }
      if field.hasPrefix("domains.") {
        throw .loading(
          .corpusChanged(CorpusChange(from: recorded.domains.map(\.key), to: domains.map(\.key))))
      }
      let prefix = "configuration."
      throw .configurationDiffers(
        path: folder.path,
        field: field.hasPrefix(prefix) ? String(field.dropFirst(prefix.count)) : field,
        recorded: old[field] ?? "none", given: new[field] ?? "none")
    }
    if recorded.instructionSet != instructionSet {
      observer.training(
        notice: .instructionSetDiffers(
          recorded: recorded.instructionSet, current: instructionSet))
    }
    return hasChanged
  }
}
