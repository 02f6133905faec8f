// Covers: Corpus.swift
import Corpora
import HeadraceTesting
import Testing

@Suite(.timeLimit(.minutes(5)))
struct CorpusManifestTests {
  private let corpus: SyntheticCorpus
  private var path: String { corpus.folder.path + "/" + CorpusManifest.fileName }

  init() throws {
    corpus = try SyntheticCorpus([
      .init("code", shards: [5000, 300], heldOut: [70]), .init("prose", shards: [40]),
    ])
  }

  /// The text of the error with which a changed manifest is refused.
  private func refusal(_ change: (inout CorpusManifest) -> Void) throws -> String {
    var manifest = try CorpusManifest.read(from: path)
    let good = manifest
    change(&manifest)
    // Fingerprints are made anew, so that only the change itself can be what is refused.
    manifest.domains = manifest.domains.map { DomainManifest(name: $0.name, splits: $0.splits) }
    try manifest.write(to: path)
    defer { try? good.write(to: path) }
    let error = #expect(throws: CorpusError.self) { try corpus.open() }
    return error?.description ?? ""
  }

  private func text(replacing old: String, by new: String) throws -> String {
    let bytes = try corpus.folder.bytes(of: CorpusManifest.fileName)
    let parts = String(decoding: bytes, as: UTF8.self).split(
      separator: old, maxSplits: 1, omittingEmptySubsequences: false)
    try #require(parts.count == 2)
    try corpus.folder.write(
      Array(parts.joined(separator: new).utf8), to: CorpusManifest.fileName)
    defer { try? corpus.folder.write(bytes, to: CorpusManifest.fileName) }
    let error = #expect(throws: CorpusError.self) { try corpus.open() }
    return error?.description ?? ""
  }

  @Test func aCorpusSaysWhatItsManifestRecords() throws {
    let opened = try corpus.open()
    #expect(opened.domainNames == ["code", "prose"])
    #expect(try opened.domainIndex(named: "prose") == 1)
    #expect(opened.domains[0].tokenCount(of: .train) == 5300)
    #expect(opened.domains[0].tokenCount(of: .heldOut) == 70)
    #expect(opened.domains[1].tokenCount(of: .heldOut) == 0)
    #expect(opened.domains[0].documentCount(of: .train) == 0)
    let size = try corpus.folder.bytes(of: corpus.path(domain: 1, shard: 0)).count
    #expect(opened.domains[1].byteCount(of: .train) == size)
    #expect(try Corpus(at: path).folder == corpus.folder.path)
    let error = #expect(throws: CorpusError.self) { try opened.domainIndex(named: "prosa") }
    #expect(error?.description.contains("code, prose") == true)
  }

  @Test func openingReadsNoShard() throws {
    for (domain, shard) in [(0, 0), (0, 1), (1, 0)] {
      try corpus.folder.remove(corpus.path(domain: domain, shard: shard))
    }
    #expect(try corpus.open().domains.count == 2)
  }

  @Test func numbersOutsideTheirLimitsAreNamed() throws {
    typealias Change = (inout CorpusManifest) -> Void
    let changes: [(String, Change)] = [
      ("vocabulary_size", { $0.tokenizer.vocabularySize = 0 }),
      ("vocabulary_size", { $0.tokenizer.vocabularySize = (1 << 31) + 1 }),
      ("end_of_text", { $0.tokenizer.endOfText = -1 }),
      ("end_of_text", { $0.tokenizer.endOfText = 65_536 }),
      ("token_width", { $0.tokenizer.vocabularySize = 65_537 }),
      ("number of domains", { $0.domains = [] }),
      ("token_count of code/train-0", { $0.domains[0].splits[.train]?[0].tokenCount = 0 }),
      ("token_count of code/train-0", { $0.domains[0].splits[.train]?[0].tokenCount = .max }),
      ("last frame of code/train-1", { $0.domains[0].splits[.train]?[1].tokenCount = 1 << 18 }),
      ("document_count of code", { $0.domains[0].splits[.train]?[0].documentCount = -1 }),
      ("document_count of code", { $0.domains[0].splits[.train]?[0].documentCount = 5001 }),
      ("byte_count of code/held", { $0.domains[0].splits[.heldOut]?[0].byteCount = 0 }),
      ("byte_count of code/held", { $0.domains[0].splits[.heldOut]?[0].byteCount = .max }),
    ]
    for (field, change) in changes {
      let text = try refusal(change)
      #expect(text.hasPrefix(path + ": " + field), "\(text)")
      #expect(text.contains("must lie in"), "\(text)")
    }
  }

  @Test func namesThatAreNotPlainAreRefused() throws {
    let long = String(repeating: "x", count: 129)
    for name in ["", "prose", ".hidden", "a/b", "a b", "größe", "..", long, "a\0"] {
      let text = try refusal {
        $0.domains[0] = DomainManifest(name: name, splits: $0.domains[0].splits)
      }
      #expect(text.contains("domain name \"\(name)\""), "\(name): \(text)")
    }
    for name in ["a", "A-1_b.c", String(repeating: "x", count: 128)] {
      #expect(CorpusManifest.isPlainName(name))
    }
  }

  @Test func anotherFormatOrVersionIsNamedAsSuch() throws {
    #expect(try refusal { $0.version = 2 }.contains("has version 2; this program reads 1"))
    #expect(try refusal { $0.format = "other" }.contains("has format \"other\""))
  }

  @Test func aManifestThatWasChangedByHandHasAnotherFingerprint() throws {
    #expect(
      try text(replacing: "\"token_count\" : 5000", by: "\"token_count\" : 5001")
        .contains("records the fingerprint"))
    #expect(
      try text(replacing: "\"name\" : \"prose\"", by: "\"name\" : \"prosa\"")
        .contains("domain prosa records"))
  }

  @Test func jsonOfAnotherShapeIsRefused() throws {
    for (old, new) in [
      ("{", "["), ("\"train\"", "\"trial\""), ("\"token_width\" : 2", "\"token_width\" : 1e999"),
      ("\"byte_count\" : ", "\"byte_count\" : 1.5, \"x\" : "), ("\"path\"", "\"paths\""),
      ("\"checksum\" : \"", "\"checksum\" : \"zz"), ("\"domains\"", "\"domain\""),
    ] {
      #expect(try text(replacing: old, by: new).contains(path), "\(old) → \(new)")
    }
    for bytes in [[], [0xFF, 0xFE], Array("null".utf8), [UInt8](repeating: 0x5B, count: 100_000)] {
      try corpus.folder.write(bytes, to: CorpusManifest.fileName)
      #expect(throws: CorpusError.self) { try corpus.open() }
    }
  }

  @Test func aFingerprintIsOfTheDataAndNotOfItsPlace() throws {
    let splits = try CorpusManifest.read(from: path).domains[0].splits
    var moved = splits
    moved[.train]?[0].path = "elsewhere/shard"
    #expect(
      DomainManifest.fingerprint(name: "code", splits: moved)
        == DomainManifest.fingerprint(name: "code", splits: splits))
    var changed = splits
    changed[.train]?[0].checksum ^= 1
    var exchanged = splits
    exchanged[.train]?.swapAt(0, 1)
    let prints = [splits, changed, exchanged].map {
      DomainManifest.fingerprint(name: "code", splits: $0)
    }
    #expect(Set(prints + [DomainManifest.fingerprint(name: "prose", splits: splits)]).count == 4)
  }
}
