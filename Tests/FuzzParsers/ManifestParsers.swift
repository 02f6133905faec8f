internal import Corpora
internal import Foundation

/// The JSON files that say what a corpus is made of.
let manifestParsers = [
  FuzzedParser(
    name: "manifest",
    words: [
      #""format":"headrace-corpus""#, #""version":1"#, #""domains":["#, #""splits":{"#,
      #""train":["#, #""held_out":["#, #""token_count":"#, #""byte_count":"#, #""checksum":""#,
      "9223372036854775807", "-1", "1e18", "../", "262144",
    ],
    seeds: { folder in
      let manifest = CorpusText.manifest
      try manifest.write(to: folder.path + "/corpus.json")
      let bytes = try folder.bytes(of: "corpus.json")
      return [[0] + bytes, [1] + bytes]
    },
    read: { input, folder in try CorpusText.readManifest(input, in: folder) }),
  FuzzedParser(
    name: "corpus-spec",
    words: [
      #""format":"headrace-spec""#, #""format":"native""#, #""format":"mds""#,
      #""format":"megatron""#, #""format":"jsonl""#, #""column":"tokens""#,
      #""token_type":"uint16""#, #""samples":"joined-with-end-of-text""#, #""field":"text""#,
      #""held_out":["#, "native*", "mds", "mega", "text.*", "[a-z]?*",
    ],
    seeds: { _ in
      [
        ("native", "native*", ""), ("mds", "mds", #", "token_type": "uint16""#),
        ("megatron", "mega", ""), ("jsonl", "text.*", #", "field": "text""#),
      ].map { format, pattern, keys in
        [0]
          + Array(
            """
            {"format": "headrace-spec", "version": 1, "name": "s",
             "tokenizer": {"name": "bytes", "vocabulary_size": 257, "end_of_text": 256},
             "domains": [{"name": "a", "format": "\(format)", "train": ["\(pattern)"]\(keys)}]}
            """.utf8)
      }
    },
    read: { input, folder in try CorpusText.readSpec(input, in: folder) }),
]

private enum CorpusText {
  static var manifest: CorpusManifest {
    func shard(_ path: String, _ tokenCount: Int) -> ShardDescription {
      ShardDescription(
        path: path, tokenCount: tokenCount, documentCount: 2, byteCount: 99, checksum: 1)
    }
    return CorpusManifest(
      name: "c",
      tokenizer: TokenizerDescription(name: "bytes", vocabularySize: 257, endOfText: 256),
      tokenWidth: .uint16,
      domains: [
        DomainManifest(
          name: "a", splits: [.train: [shard("a/0", 10), shard("a/1", 11)], .heldOut: []]),
        DomainManifest(name: "b-2", splits: [.train: [], .heldOut: [shard("b/0", 262_145)]]),
      ])
  }

  /// Reads a manifest, with its domains' fingerprints made right if the input wants that.
  ///
  /// What is accepted is written and read as the same, and its sums are those of a corpus.
  static func readManifest(_ input: FuzzInput, in folder: FuzzFolder) throws {
    var input = input
    let options = FuzzOptions(rawValue: input.byte())
    let path = folder.write(Array(input.rest), to: "corpus.json")
    if options.contains(.repairs),
      var decoded = try? JSONDecoder().decode(CorpusManifest.self, from: Data(input.rest))
    {
      for index in decoded.domains.indices {
        decoded.domains[index].fingerprint = DomainManifest.fingerprint(
          name: decoded.domains[index].name, splits: decoded.domains[index].splits)
      }
      try decoded.write(to: path)
    }
    let manifest = try CorpusManifest.read(from: path)
    let copy = folder.path + "/copy.json"
    try manifest.write(to: copy)
    expect(try CorpusManifest.read(from: copy) == manifest, "a manifest comes back")
    let corpus = try Corpus(at: folder.path)
    for (domain, recorded) in zip(corpus.domains, manifest.domains) {
      expect(CorpusManifest.isPlainName(domain.name), "a domain's name is a folder's")
      for split in Split.allCases {
        let shards = recorded.splits[split, default: []]
        let sum = shards.reduce(Int128(0)) { $0 + Int128($1.tokenCount) }
        expect(Int128(domain.tokenCount(of: split)) == sum, "tokens add up")
        expect(domain.documentCount(of: split) <= domain.tokenCount(of: split), "so do documents")
        expect(domain.byteCount(of: split) >= shards.count, "no shard is empty")
        for shard in shards {
          expect(corpus.path(of: shard).hasPrefix(folder.path + "/"), "paths stay in the folder")
          expect(!shard.path.contains("/../"), "paths stay in the folder")
        }
      }
    }
  }

  /// Resolves a spec beside small shards of every format.
  ///
  /// Patterns that leave the folder are not tried: they may go over the whole machine, as they may
  /// for anyone who writes one.
  static func readSpec(_ input: FuzzInput, in folder: FuzzFolder) throws {
    var input = input
    _ = input.byte()
    let text = String(decoding: input.rest, as: UTF8.self)
    guard !text.contains("\"/"), !text.contains(".."), !text.contains("\\") else { return }
    try FormatFiles.prepare(in: folder)
    let path = folder.write(Array(input.rest), to: "spec.json")
    let corpus = try Corpus(at: path)
    expect(Set(corpus.domainNames).count == corpus.domains.count, "names are unique")
    for (index, domain) in corpus.domains.enumerated() {
      for split in Split.allCases {
        let shards = domain.shards[split, default: []]
        expect(shards.count == domain.sources[split, default: []].count, "each shard has a source")
        expect(domain.tokenCount(of: split) >= 0, "tokens add up")
        for shard in shards.indices {
          try readShard(shard, of: split, domainIndex: index, corpus: corpus)
        }
      }
    }
  }

  /// Opens a shard and reads all of it.
  private static func readShard(
    _ shard: Int, of split: Split, domainIndex: Int, corpus: Corpus
  ) throws {
    let domain = corpus.domains[domainIndex]
    let count = domain.shards[split, default: []][shard].tokenCount
    let width = corpus.tokenWidth
    var memory = [UInt8](repeating: 0, count: count * width.byteCount)
    if case .native = domain.format {
      let reader = try corpus.openShard(shard, of: split, domainIndex: domainIndex)
      expect(reader.index.tokenCount == count, "a shard has the tokens that were counted")
    } else if domain.isStreamed {
      let stream = try corpus.openTokenStream(shard, of: split, domainIndex: domainIndex)
      let read = try memory.withUnsafeMutableBytes { try stream.read(into: $0, width: width) }
      expect(read == count, "a stream has the tokens that were counted")
    } else {
      let tokens = try corpus.openTokenShard(shard, of: split, domainIndex: domainIndex)
      try memory.withUnsafeMutableBytes { try tokens.read(0..<count, into: $0, width: width) }
    }
  }
}
