// Covers: CorpusManifest.swift

import Corpora
import Foundation
import HeadraceTesting
import Testing

@Suite(.timeLimit(.minutes(5)))
struct CorpusTests {
  private static let domains: [SyntheticCorpus.Domain] = [
    .init("code", shards: [3000, 500], heldOut: [700]), .init("prose", shards: [4000]),
  ]

  @Test func openingReadsTheManifestAlone() throws {
    let made = try SyntheticCorpus(Self.domains)
    for shard in 0..<2 {
      try FileManager.default.removeItem(
        atPath: made.folder.path + "/" + made.path(domain: 0, shard: shard))
    }
    for path in [made.folder.path, made.folder.path + "/corpus.json", made.folder.path + "/"] {
      let corpus = try Corpus(at: path)
      #expect(corpus.domainNames == ["code", "prose"])
      #expect(corpus.domains[0].tokenCount(of: .train) == 3500)
      #expect(corpus.domains[0].tokenCount(of: .heldOut) == 700)
      #expect(corpus.domains[1].tokenCount(of: .heldOut) == 0)
      #expect(try corpus.domainIndex(named: "prose") == 1)
    }
  }

  @Test func theFingerprintIsOfContentNotOfPaths() throws {
    let shard = ShardDescription(
      path: "a/b", tokenCount: 5, documentCount: 1, byteCount: 9, checksum: 7)
    var moved = shard
    moved.path = "elsewhere/c"
    var changed = shard
    changed.checksum = 8
    func fingerprint(_ shard: ShardDescription, name: String = "d", split: Split = .train) -> String
    {
      DomainManifest(name: name, splits: [split: [shard]]).fingerprint
    }
    #expect(fingerprint(shard) == fingerprint(moved))
    #expect(fingerprint(shard) != fingerprint(changed))
    #expect(fingerprint(shard) != fingerprint(shard, name: "e"))
    #expect(fingerprint(shard) != fingerprint(shard, split: .heldOut))
  }

  /// A change to the manifest's text, and a word that the refusal must hold.
  static let hostile: [(from: String, to: String, word: String)] = [
    ("\"headrace-corpus\"", "\"other\"", "format"),
    ("\"version\" : 1", "\"version\" : 2", "version"),
    ("code/train-0", "../train-0", "leaves the corpus folder"),
    ("code/train-0", "/etc/train-0", "absolute"),
    ("code/train-0", "code//train-0", "leaves the corpus folder"),
    ("\"name\" : \"prose\"", "\"name\" : \"code\"", "repeated"),
    ("\"name\" : \"prose\"", "\"name\" : \"../x\"", "plain name"),
    ("\"token_count\" : 4000", "\"token_count\" : 4001", "fingerprint"),
    ("\"token_count\" : 4000", "\"token_count\" : -1", "token_count"),
    ("\"token_count\" : 4000", "\"token_count\" : 9223372036854775807", "token_count"),
    ("\"token_count\" : 4000", "\"token_count\" : 262144", "last frame"),
    ("\"token_width\" : 2", "\"token_width\" : 3", "token_width"),
    ("\"vocabulary_size\" : 65536", "\"vocabulary_size\" : 65537", "token_width"),
    ("\"vocabulary_size\" : 65536", "\"vocabulary_size\" : 4294967296", "vocabulary_size"),
    ("\"end_of_text\" : ", "\"end_of_text\" : 77777", "end_of_text"),
    ("\"domains\" : [", "\"domains\" : 7, \"x\" : [", "domains"),
  ]

  @Test(arguments: hostile)
  func hostileManifestsAreRefusedByName(from: String, to: String, word: String) throws {
    let made = try SyntheticCorpus(Self.domains)
    let path = made.folder.path + "/corpus.json"
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let changed = text.replacingOccurrences(of: from, with: to)
    #expect(changed != text, "\(from) stands in the manifest")
    try changed.write(toFile: path, atomically: true, encoding: .utf8)
    do {
      _ = try Corpus(at: made.folder.path)
      Issue.record("\(to) was accepted")
    } catch {
      #expect("\(error)".contains(word) && "\(error)".contains("corpus.json"), "\(error)")
    }
  }

  @Test func sumsThatOverflowAreRefused() throws {
    let shards = (0..<300_000).map {
      ShardDescription(
        path: "d/\($0)", tokenCount: (1 << 42) - 1, documentCount: 0, byteCount: 1 << 46,
        checksum: 0)
    }
    let folder = try TemporaryFolder()
    try CorpusManifest(
      name: "huge", tokenizer: .init(name: "t", vocabularySize: 10, endOfText: 9),
      tokenWidth: .uint16, domains: [DomainManifest(name: "d", splits: [.train: shards])]
    ).write(to: folder.path + "/corpus.json")
    #expect(throws: CorpusError.self) { try Corpus(at: folder.path) }
  }

  @Test func everyTruncationOfTheManifestIsRefused() throws {
    let made = try SyntheticCorpus(Self.domains)
    let path = made.folder.path + "/corpus.json"
    let bytes = try FileReader.contents(of: path, limit: 1 << 20)
    // The last byte is a line feed, without which the text is still whole.
    for count in 0..<bytes.count - 2 {
      try Data(bytes[..<count]).write(to: URL(fileURLWithPath: path))
      #expect(throws: CorpusError.self, "cut to \(count) bytes") {
        try Corpus(at: made.folder.path)
      }
    }
  }
}
