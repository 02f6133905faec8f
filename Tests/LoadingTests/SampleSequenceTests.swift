import Corpora
import HeadraceTesting
import Loading
import Mixing
import Testing

/// MDS samples that are sequences: each is a row, whatever its length, and no other T is taken.
@Suite(.timeLimit(.minutes(5)))
struct SampleSequenceTests {
  /// A spec over shards whose samples have these numbers of tokens, `[shard][sample]`.
  private static func folder(
    _ counts: [[Int]], encoding: String, compression: String?
  ) throws -> (folder: TemporaryFolder, samples: [[UInt32]]) {
    let folder = try TemporaryFolder()
    var samples: [[UInt32]] = []
    var names: [String] = []
    for (shard, counts) in counts.enumerated() {
      var writer = try MDSWriter(
        folder: folder.path + "/shard-\(shard)",
        form: MDSWriter.Form(
          column: "tokens", encoding: encoding, byteCount: nil, compression: compression,
          sizeLimit: nil))
      for count in counts {
        let tokens = (0..<count).map { UInt32(($0 * 7 + samples.count * 13) % 50_000) }
        samples.append(tokens)
        let value = SyntheticCorpus.bytes(of: tokens, width: .uint16)
        let head: [UInt8] =
          encoding == "bytes"
          ? []
          : count < 256
            ? [1 << 2, UInt8(count)] : [1 << 2 | 1, UInt8(count & 255), UInt8(count >> 8)]
        try (head + value).withUnsafeBytes { try writer.append($0) }
      }
      _ = try writer.finish()
      names.append("\"shard-\(shard)\"")
    }
    let type = encoding == "bytes" ? #""token_type": "uint16","# : ""
    let spec = """
      {"format": "headrace-spec", "version": 1, "name": "sequences",
       "tokenizer": {"name": "test", "vocabulary_size": 50000, "end_of_text": 0},
       "domains": [{"name": "a", "format": "mds", \(type) "samples": "sequences",
                    "train": [\(names.joined(separator: ", "))]}]}
      """
    try folder.write(Array(spec.utf8), to: "spec.json")
    return (folder, samples)
  }

  private static func loader(_ folder: TemporaryFolder, sequenceLength: Int) throws -> Loader {
    try Loader(
      Corpus(at: folder.path + "/spec.json"), policy: .static(.uniform),
      batch: .init(rows: 1, sequenceLength: sequenceLength), seed: 3,
      options: options { $0.epochCaps = ["a": 2] })
  }

  @Test(
    "every sample is a row, once an epoch", arguments: [63, 64, 2047, 1000],
    [("bytes", nil), ("bytes", "zstd:1"), ("ndarray:uint16", nil), ("ndarray:uint16", "zstd:1")])
  func rows(sequenceLength: Int, form: (encoding: String, compression: String?)) throws {
    let counts = [70, 3, 300].map { Array(repeating: sequenceLength + 1, count: $0) }
    let (folder, samples) = try Self.folder(
      counts, encoding: form.encoding, compression: form.compression)
    let loader = try Self.loader(folder, sequenceLength: sequenceLength)
    var epochs: [[[UInt32]]] = [[], []]
    while let batch = try loader.next() {
      for row in batch.rows() { epochs[row.epoch].append(row.tokens) }
    }
    for rows in epochs {
      #expect(rows.count == samples.count && Set(rows) == Set(samples), "\(form)")
    }
    #expect(epochs[0] != epochs[1])
  }

  @Test("another T is refused, and the right one is named")
  func otherLengths() throws {
    let (folder, _) = try Self.folder([[65, 65]], encoding: "bytes", compression: nil)
    for wrong in [1, 32, 63, 65, 128] {
      let error = #expect(throws: LoadingError.self) {
        try Self.loader(folder, sequenceLength: wrong)
      }
      #expect(error?.description.contains("length of 64, not \(wrong)") == true, "\(wrong)")
    }
    #expect(try Self.loader(folder, sequenceLength: 64).next() != nil)
  }

  @Test(
    "samples of several lengths are refused by name", arguments: ["bytes", "ndarray:uint16"],
    [nil, "zstd:1"])
  func uneven(encoding: String, compression: String?) throws {
    let (inside, _) = try Self.folder(
      [[65, 65, 64]], encoding: encoding, compression: compression)
    let error = #expect(throws: CorpusError.self) { try Corpus(at: inside.path + "/spec.json") }
    #expect(error?.description.contains("sample 2 has 64 tokens") == true)
    let (between, _) = try Self.folder(
      [[65, 65], [64, 64]], encoding: encoding, compression: compression)
    let other = #expect(throws: CorpusError.self) { try Corpus(at: between.path + "/spec.json") }
    #expect(other?.description.contains("has samples of 64 tokens, other shards of 65") == true)
  }
}
