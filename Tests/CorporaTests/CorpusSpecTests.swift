// Covers: SpecResolver.swift, PathPattern.swift, ManifestLimits.swift, DomainFormat.swift
import Corpora
import Foundation
import HeadraceTesting
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

@Suite(.timeLimit(.minutes(5)))
struct CorpusSpecTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.makeFolder("b[1]")
    for name in ["b[1]/2.jsonl", "b[1]/10.jsonl", "b[1]/1.jsonl", "c.jsonl"] {
      try folder.write(Array("{\"text\": \"\(name)\"}\n".utf8), to: name)
    }
    try SyntheticCorpus.writeShard(
      Array(0..<300).map { $0 % 257 }, width: .uint16, folder: folder.path, name: "n.tokens.zst")
    try SyntheticCorpus.writeShard(
      Array(0..<300), width: .uint32, folder: folder.path, name: "w.tokens.zst")
  }

  private func open(
    _ domains: String, tokenizer: String = "bytes", vocabulary: Int = 257, version: Int = 1,
    more: String = ""
  ) throws -> Corpus {
    let spec = """
      {"format": "headrace-spec", "version": \(version), "name": "s"\(more),
       "tokenizer": {"name": "\(tokenizer)", "vocabulary_size": \(vocabulary), "end_of_text": 256},
       "domains": [\(domains)]}
      """
    try folder.replace("spec.json", with: Array(spec.utf8))
    return try Corpus(at: folder.path + "/spec.json")
  }

  private func refusal(_ body: () throws -> Corpus) -> String {
    do {
      _ = try body()
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  @Test func `names the files that patterns match, in the order of their bytes`() throws {
    let corpus = try open(
      #"""
      {"name": "a", "format": "jsonl", "train": ["b\\[1]/*.jsonl"], "held_out": ["c.jsonl"]},
      {"name": "n", "format": "native", "train": ["n.tokens.???"]}
      """#)
    let shards = corpus.domains[0].shards
    #expect(
      shards[.train]?.map { $0.path.split(separator: "/").last } == [
        "1.jsonl", "10.jsonl", "2.jsonl",
      ])
    #expect(shards[.heldOut]?.count == 1)
    #expect(corpus.domains[0].format == .jsonLines(field: "text"))
    #expect(corpus.domains[0].isOpenEnded && corpus.domains[0].isStreamed)
    #expect(corpus.domains[1].tokenCount(of: .train) == 300)
    #expect(!corpus.domains[1].isStreamed)
  }

  @Test func `a folder that cannot be looked into is named`() throws {
    _ = try open(#"{"name": "a", "format": "jsonl", "train": ["b*/?.jsonl"]}"#)
    for (call, suffix) in [
      (FaultyFiles.Call.names, folder.path), (.names, "b[1]"), (.open, "1.jsonl"),
    ] {
      let files = FaultyFiles()
      files.inject(.fails(EACCES), call, of: suffix)
      let text = refusal {
        try Corpus(at: folder.path + "/spec.json", access: FileAccess(opener: files))
      }
      #expect(text.contains("\(suffix): Permission denied"), "\(text)")
    }
    // Where an earlier part of a pattern matches a file, there is no folder to look into.
    #expect(
      try open(#"{"name": "a", "format": "jsonl", "train": ["*/*.jsonl"]}"#)
        .domains[0].shards[.train]?.count == 3)
    #expect(
      refusal { try open(#"{"name": "a", "format": "jsonl", "train": ["none/*"]}"#) }
        .contains("nothing matches"))
  }

  @Test func `patterns are matched as a shell does`() throws {
    try folder.makeFolder("p/.hidden")
    for name in ["p/a*b", "p/axb", "p/.dot", "p/.hidden/x", "p/[z"] {
      try folder.write(Array("{\"text\": \"\(name)\"}\n".utf8), to: name)
    }
    func matches(_ pattern: String) throws -> [String] {
      let corpus = try open(#"{"name": "a", "format": "jsonl", "train": ["\#(pattern)"]}"#)
      return corpus.domains[0].shards[.train, default: []].map(\.path)
    }
    #expect(try matches("p/a*") == ["p/a*b", "p/axb"])
    #expect(try matches(#"p/a\\*b"#) == ["p/a*b"])
    #expect(try matches("./p/../p/a[!*]b") == ["./p/../p/axb"])
    #expect(try matches("p//?xb") == ["p/axb"])
    #expect(try matches("p/.d*") == ["p/.dot"])
    #expect(try matches("p/.h*/*") == ["p/.hidden/x"])
    #expect(try matches(folder.path + "/*/axb") == ["p/axb"])
    #expect(
      refusal { try open(#"{"name": "a", "format": "jsonl", "train": ["p/*"]}"#) } == "no error")
    #expect(try matches("p/*").count == 3)
  }

  @Test func `one file is not read twice, whatever paths lead to it`() throws {
    let path = folder.path
    #expect(link(path + "/c.jsonl", path + "/hard.jsonl") == 0)
    #expect(symlink("c.jsonl", path + "/soft.jsonl") == 0)
    #expect(symlink("b[1]", path + "/folder") == 0)
    #expect(symlink("n.tokens.zst", path + "/m.tokens.zst") == 0)
    for (train, heldOut) in [
      ("c.jsonl", "./c.jsonl"), ("c.jsonl", "hard.jsonl"), ("soft.jsonl", "c.jsonl"),
      ("folder/1.jsonl", "b\\\\[1]/1.jsonl"), ("c.jsonl", "folder/../c.jsonl"),
    ] {
      for lists in [
        #""train": ["\#(train)", "\#(heldOut)"]"#,
        #""train": ["\#(train)"], "held_out": ["\#(heldOut)"]"#,
      ] {
        let text = refusal { try open(#"{"name": "a", "format": "jsonl", \#(lists)}"#) }
        let names = [train, heldOut].map { path + "/" + $0.replacing("\\\\", with: "") }
        #expect(text.contains("\(names[1]) is the same file as \(names[0])"), "\(text)")
      }
    }
    let native = refusal {
      try open(#"{"name": "a", "format": "native", "train": ["m.tokens.zst", "n.tokens.zst"]}"#)
    }
    #expect(native.contains("is the same file as"), "\(native)")
    // Another field of the same lines is another domain.
    let fields = try open(
      #"""
      {"name": "a", "format": "jsonl", "train": ["c.jsonl"]},
      {"name": "b", "format": "jsonl", "train": ["./c.jsonl"], "field": "title"}
      """#)
    #expect(fields.domains.count == 2)
  }

  @Test func `folders of MDS and prefixes of Megatron are not read twice`() throws {
    for format in [FormatFolder.Format.mdsBytes, .megatron] {
      let made = try FormatFolder(
        format, documents: [[FormatFolder.documents(byteCount: 3000, seed: 1)]])
      let path = made.folder.path
      #expect(symlink("domain-0", path + "/linked") == 0)
      let spec = String(decoding: try made.folder.bytes(of: "spec.json"), as: UTF8.self)
      for other in ["./domain-0/shard-0", "linked/shard-0", "linked/../domain-0/shard-0"] {
        let twice = spec.replacing(
          #""domain-0/shard-?""#, with: #""domain-0/shard-?", "\#(other)""#)
        try made.folder.write(Array(twice.utf8), to: "spec.json")
        let text = refusal { try made.open() }
        #expect(text.contains("\(path)/\(other)") && text.contains("is the same file"), "\(text)")
      }
    }
  }

  @Test func `an empty file of lines is a shard without documents`() throws {
    try folder.write([], to: "0.jsonl")
    try folder.write([], to: "z.jsonl")
    try folder.write([], to: "e.jsonl.zst")
    let corpus = try open(#"{"name": "a", "format": "jsonl", "train": ["?.jsonl"]}"#)
    #expect(corpus.domains[0].shards[.train]?.map(\.byteCount).count { $0 == 0 } == 2)
    let report = try Verification(corpus).run()
    #expect(report.isClean && report.splits[0].documentCount == 1)
    for lists in [
      #""train": ["0.jsonl", "z.jsonl"]"#, #""train": ["c.jsonl"], "held_out": ["z.jsonl"]"#,
    ] {
      let text = refusal { try open(#"{"name": "a", "format": "jsonl", \#(lists)}"#) }
      #expect(text.contains("domain a: all files that") && text.contains("are empty"), "\(text)")
    }
    let compressed = refusal {
      try open(#"{"name": "a", "format": "jsonl", "train": ["c.jsonl", "e.jsonl.zst"]}"#)
    }
    #expect(compressed.contains("byte_count of e.jsonl.zst is 0"), "\(compressed)")
  }

  @Test func `a spec at a relative path finds its shards`() throws {
    _ = try open(
      #"""
      {"name": "a", "format": "jsonl", "train": ["c.jsonl"]},
      {"name": "n", "format": "native", "train": ["n.tokens.zst"]}
      """#)
    let depth = FileManager.default.currentDirectoryPath.split(separator: "/").count
    let up = Array(repeating: "..", count: depth).joined(separator: "/")
    let corpus = try Corpus(at: up + folder.path + "/spec.json")
    #expect(try corpus.openShard(0, of: .train, domainIndex: 1).index.tokenCount == 300)
    let text = try corpus.openText(0, of: .train, domainIndex: 0, from: TextCursor())
    #expect(text.place.path.hasPrefix(".."))
  }

  @Test func `a folder whose name holds a pattern is no pattern`() throws {
    let spec = """
      {"format": "headrace-spec", "version": 1, "name": "s",
       "tokenizer": {"name": "bytes", "vocabulary_size": 257, "end_of_text": 256},
       "domains": [{"name": "a", "format": "jsonl", "train": ["1*.jsonl"]}]}
      """
    try folder.replace("b[1]/spec.json", with: Array(spec.utf8))
    let corpus = try Corpus(at: folder.path + "/b[1]/spec.json")
    #expect(corpus.domains[0].shards[.train]?.count == 2)
  }

  @Test func `a fingerprint follows a file's size, beginning and end`() throws {
    let spec = #"{"name": "a", "format": "jsonl", "train": ["c.jsonl"]}"#
    let first = try open(spec).domains[0].fingerprint
    #expect(try open(spec).domains[0].fingerprint == first)
    try folder.replace("c.jsonl", with: Array("{\"text\": \"C.jsonl\"}\n".utf8))
    #expect(try open(spec).domains[0].fingerprint != first)
  }

  @Test(arguments: [
    (#"{"name": "a", "format": "jsonl", "train": ["none-*"]}"#, "nothing matches \"none-*\""),
    (#"{"name": "a", "format": "jsonl", "train": ["c.jsonl", "c*"]}"#, "matched twice"),
    (#"{"name": "a", "format": "parquet", "train": ["c.jsonl"]}"#, "native, mds, megatron, jsonl"),
    (#"{"name": "a", "format": "jsonl", "train": ["c.jsonl"], "column": "x"}"#, "\"column\""),
    (#"{"name": "a", "format": "native", "train": ["n.*"], "field": "x"}"#, "\"field\""),
    (#"{"name": "a", "format": "jsonl", "trian": ["c.jsonl"]}"#, "trian"),
    (#"{"name": "a/b", "format": "jsonl", "train": ["c.jsonl"]}"#, "plain name"),
    (#"{"name": "a", "format": "native", "train": ["w.tokens.zst"]}"#, "tokens of 4 bytes"),
    (#"{"name": "a", "format": "native", "train": ["c.jsonl"]}"#, "c.jsonl"),
    (#"{"name": "a", "format": "jsonl", "train": ["b*"]}"#, "b[1]"),
  ])
  func `what cannot be is refused by name`(domain: String, part: String) {
    let text = refusal { try open(domain) }
    #expect(text.contains(part), "\(text)")
  }

  @Test func `names, versions, keys and tokenizers are checked`() throws {
    let domain = #"{"name": "a", "format": "jsonl", "train": ["c.jsonl"]}"#
    #expect(refusal { try open(domain + "," + domain) }.contains("repeated"))
    #expect(refusal { try open("") }.contains("number of domains"))
    #expect(refusal { try open(domain, version: 2) }.contains("version"))
    #expect(refusal { try open(domain, more: #", "tokeniser": 1"#) }.contains("tokeniser"))
    #expect(refusal { try open(domain, tokenizer: "gpt2") }.contains("\"gpt2\""))
    #expect(refusal { try open(domain, vocabulary: 300) }.contains("vocabulary size is 300"))
    #expect(refusal { try open(domain, vocabulary: -1) }.contains("vocabulary_size"))
  }

  @Test func `no bytes of a spec crash the program`() throws {
    _ = try open(#"{"name": "a", "format": "jsonl", "train": ["c.jsonl"]}"#)
    let whole = try folder.bytes(of: "spec.json")
    for position in whole.indices {
      for byte: UInt8 in [0, 0x22, 0x7B, 0xFF] {
        var damaged = whole
        damaged[position] = byte
        try folder.replace("spec.json", with: damaged)
        _ = try? Corpus(at: folder.path + "/spec.json")
      }
      try folder.replace("spec.json", with: Array(whole[..<position]))
      #expect(throws: CorpusError.self) { _ = try Corpus(at: folder.path + "/spec.json") }
    }
  }
}
