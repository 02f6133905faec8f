import Corpora
import HeadraceTesting
import Testing

/// An index is found, and what it must not say is refused by name.
@Suite(.timeLimit(.minutes(5)))
struct MDSFolderTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private static let file = #"{"basename": "shard.00000.mds", "bytes": 100, "hashes": {"x": "y"}}"#

  /// A whole index of one shard, with some keys replaced.
  private static func index(_ changes: [String: String] = [:]) -> String {
    var keys = [
      "column_encodings": "[\"bytes\"]", "column_names": "[\"tokens\"]", "column_sizes": "[null]",
      "compression": "null", "format": "\"mds\"", "hashes": "[\"xxh64\"]", "raw_data": file,
      "samples": "3", "size_limit": "67108864", "version": "2", "zip_data": "null",
    ]
    for (key, value) in changes { keys[key] = value }
    let shard = keys.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ")
    return "{\"version\": 2, \"shards\": [{\(shard)}]}"
  }

  private func entries(_ index: String) throws -> [MDSShardEntry] {
    try folder.write(Array(index.utf8), to: "index.json")
    return try MDSFolder.read(folder: folder.path)
  }

  private func failure(_ changes: [String: String]) -> String {
    do {
      return "\(try entries(Self.index(changes)))"
    } catch {
      return "\(error)"
    }
  }

  @Test func anIndexOfAnotherProgramIsRead() throws {
    let entry = try #require(try entries(Self.index()).first)
    #expect(entry.path == "shard.00000.mds")
    #expect((entry.sampleCount, entry.rawByteCount, entry.storedByteCount) == (3, 100, 100))
    #expect(entry.columns == [.init(name: "tokens", encoding: "bytes", byteCount: nil)])
    #expect(entry.storedHashes == ["x": "y"])
    #expect(!entry.hasHash)
    for limit in ["null", "\"64mb\"", "1e9", "[]"] {
      #expect(try entries(Self.index(["size_limit": limit, "strange": "{}"])).first == entry)
    }
    #expect(try entries(#"{"version": 2, "shards": [], "more": 1}"#).isEmpty)
  }

  /// 299 bytes that mosaicml-streaming 0.13.0 wrote, with the SHA-256 of formats.md.
  @Test func theGoldenIndexIsRead() throws {
    let text =
      #"{"shards": [{"column_encodings": ["str"], "column_names": ["x"], "column_sizes": [null], "#
      + #""compression": null, "format": "mds", "hashes": [], "raw_data": {"basename": "#
      + #""shard.00000.mds", "bytes": 201, "hashes": {}}, "samples": 3, "size_limit": 67108864, "#
      + #""version": 2, "zip_data": null}], "version": 2}"#
    var hash = RunningHash(.sha256)
    Array(text.utf8).withUnsafeBytes { hash.add($0) }
    #expect(text.utf8.count == 299)
    #expect(hash.text == "c22ef46bea0fba58eb64524cd3d66c68d1ea22c6a12196728e4f836eef85cfd9")
    let entry = try #require(try entries(text).first)
    #expect((entry.sampleCount, entry.rawByteCount) == (3, 201))
    #expect(entry.columns == [.init(name: "x", encoding: "str", byteCount: nil)])
  }

  @Test func foldersBelowAreReadInTheOrderOfTheirPaths() throws {
    for name in ["b/deep", "a", ".hidden", "ä"] {
      try folder.makeFolder(name)
      try folder.write(Array(Self.index().utf8), to: name + "/index.json")
    }
    try folder.write([1], to: "b/file")
    #expect(
      try MDSFolder.read(folder: folder.path).map(\.path) == [
        "a/shard.00000.mds", "b/deep/shard.00000.mds", "ä/shard.00000.mds",
      ])
    // An index above them says what there is; it may name files in folders.
    let merged = Self.index(["raw_data": Self.file.replacing("shard.0", with: "a/shard.0")])
    #expect(try entries(merged).map(\.path) == ["a/shard.00000.mds"])
  }

  @Test func aFolderWithoutAnIndexIsNamed() throws {
    do {
      _ = try MDSFolder.read(folder: folder.path)
      Issue.record("there is no index")
    } catch {
      #expect("\(error)".contains("\(folder.path): there is no index.json"))
    }
    #expect(throws: CorpusError.self) { try MDSFolder.read(folder: folder.path + "/none") }
    var path = ""
    for _ in 0..<20 { path += "d/" }
    try folder.makeFolder(path)
    #expect(throws: CorpusError.self) { try MDSFolder.read(folder: folder.path) }
  }

  @Test func shardsWithoutAnIndexAreNotPassedOver() throws {
    for name in ["a", "b/c", "plain"] { try folder.makeFolder(name) }
    try folder.write(Array(Self.index().utf8), to: "a/index.json")
    try folder.write([1], to: "a/shard.00001.mds")
    try folder.write([1], to: "plain/notes.txt")
    #expect(try MDSFolder.read(folder: folder.path).count == 1)
    for name in ["shard.00000.mds", "shard.00003.mds.zstd"] {
      try folder.write([1], to: "b/c/" + name)
      let error = #expect(throws: CorpusError.self) { try MDSFolder.read(folder: folder.path) }
      let text = try #require(error).description
      #expect(text.contains("\(folder.path)/b/c: there is no index.json beside \(name)"), "\(text)")
      try folder.remove("b/c/" + name)
    }
    try folder.write([1], to: "shard.00000.mds")
    let error = #expect(throws: CorpusError.self) { try MDSFolder.read(folder: folder.path) }
    #expect(error?.description.contains("\(folder.path): there is no index.json beside") == true)
  }

  @Test(arguments: [
    "/shard.mds", "../shard.mds", "a/../shard.mds", "", "a//b", "a/", "./a", "a\\u0000b", "..",
  ])
  func aPathThatLeavesTheFolderIsRefused(name: String) {
    let file = Self.file.replacing("shard.00000.mds", with: name)
    #expect(failure(["raw_data": file]).contains("is absolute or leaves the corpus folder"))
  }

  @Test func whatIsNotReadIsRefusedByName() {
    let zip = ["zip_data": Self.file]
    for codec in ["br", "bz2:9", "gz", "snappy", "zstd:0", "zstd:23", "zstd:", "zstd:7:8"] {
      let text = failure(zip.merging(["compression": "\"\(codec)\""]) { $1 })
      #expect(text.contains("compressed with \"\(codec)\"; zstd is read. Write them again"))
    }
    for codec in ["zstd", "zstd:1", "zstd:22"] {
      let text = failure(zip.merging(["compression": "\"\(codec)\""]) { $1 })
      #expect(text.hasPrefix("["), "\(text)")
    }
    #expect(failure(["version": "1"]).contains("has version 1; this program reads 2"))
    #expect(failure(["format": "\"json\""]).contains("has format \"json\""))
    #expect(failure(zip).contains("a compressed file is named, but no compression"))
    #expect(failure(["compression": "\"zstd\""]).contains("but no compressed file"))
  }

  @Test func numbersOutsideTheirLimitsAreRefused() {
    for samples in ["-1", "16777217", "100", "1e30", "\"3\""] {
      #expect(!failure(["samples": samples]).hasPrefix("["), "\(samples)")
    }
    for bytes in ["-1", "0", "7", "4294967296", "9223372036854775808", "19"] {
      let file = Self.file.replacing("100", with: bytes)
      #expect(!failure(["raw_data": file]).hasPrefix("["), "\(bytes)")
    }
    let limit = Self.file.replacing("100", with: "4294967295")
    #expect(failure(["raw_data": limit]).hasPrefix("["))
    let huge = [
      "column_names": "[\"a\", \"b\"]", "column_encodings": "[\"x\", \"y\"]",
      "column_sizes": "[4294967295, 4294967295]", "samples": "16777216",
    ]
    #expect(failure(huge).contains("its samples take at least"))
  }

  @Test func columnsThatDoNotFitAreRefused() {
    let names = "[\"a\", \"a\"]"
    let twice = ["column_names": names, "column_encodings": names, "column_sizes": "[null, null]"]
    #expect(failure(twice).contains("columns of different names"))
    #expect(failure(["column_sizes": "[]"]).contains("1 names, 1 encodings and 0 sizes"))
    #expect(
      failure(["column_names": "[]", "column_encodings": "[]", "column_sizes": "[]"])
        .contains("0 names"))
    for (encoding, size) in [
      ("bytes", "4"), ("int32", "null"), ("int32", "8"), ("ndarray:int32:4", "4"),
      ("ndarray:int32:4", "null"), ("ndarray:int32", "8"), ("ndarray:int32:0", "0"),
      ("ndarray:what:4", "4"), ("ndarray:int32:2,x", "8"), ("ndarray:int32:1:1", "4"),
      ("ndarray:int64:4294967296,4294967296", "8"), ("strange", "0"), ("strange", "-1"),
    ] {
      let changes = ["column_encodings": "[\"\(encoding)\"]", "column_sizes": "[\(size)]"]
      #expect(
        failure(changes).contains("of encoding \(encoding) cannot have"), "\(encoding) \(size)")
    }
    for (encoding, size) in [("strange", "8"), ("strange", "null"), ("ndarray:int16:2,3", "12")] {
      let changes = ["column_encodings": "[\"\(encoding)\"]", "column_sizes": "[\(size)]"]
      #expect(failure(changes).hasPrefix("["), "\(encoding) \(size)")
    }
  }

  @Test func everyTruncationOfAnIndexIsRefused() throws {
    let bytes = Array(Self.index().utf8)
    for count in bytes.indices {
      try folder.write(Array(bytes[..<count]), to: "index.json")
      #expect(throws: CorpusError.self) { try MDSFolder.read(folder: folder.path) }
    }
  }

  @Test func theChecksumTellsShardsApartAndNotTheirPaths() throws {
    func checksum(_ changes: [String: String] = [:]) throws -> UInt64? {
      try entries(Self.index(changes)).first?.checksum
    }
    let first = try checksum()
    #expect(try checksum(["raw_data": Self.file.replacing("shard.0", with: "a/b.0")]) == first)
    for changes in [
      ["samples": "4"], ["raw_data": Self.file.replacing("100", with: "101")],
      ["raw_data": Self.file.replacing("\"y\"", with: "\"z\"")],
      ["raw_data": Self.file.replacing("\"x\"", with: "\"z\"")],
      ["column_names": "[\"token\"]"], ["column_encodings": "[\"str\"]"],
      ["compression": "\"zstd\"", "zip_data": Self.file],
    ] {
      #expect(try checksum(changes) != first, "\(changes)")
    }
  }
}
