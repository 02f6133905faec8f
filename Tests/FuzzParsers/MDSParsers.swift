internal import Corpora

/// The index, raw shards and compressed shards of MDS.
let mdsParsers = [
  FuzzedParser(
    name: "mds-index",
    words: [
      #""version":2"#, #""shards":["#, #""column_names":["#, #""column_encodings":["#,
      #""column_sizes":["#, #""compression":"zstd""#, #""compression":null"#, #""format":"mds""#,
      #""raw_data":{"#, #""zip_data":{"#, #""zip_data":null"#, #""basename":"#, #""bytes":"#,
      #""hashes":{"#, #""samples":"#, "ndarray:int32:2,3", "ndarray:uint16", "4294967295",
      "9223372036854775807", "-1", "../", "zstd:22",
    ],
    seeds: { folder in
      try ["zstd:3", nil].map { compression in
        folder.remove("mds")
        var writer = try MDSWriter(
          folder: folder.path + "/mds",
          form: MDSWriter.Form(
            column: "tokens", encoding: "ndarray:uint16", byteCount: nil,
            compression: compression, sizeLimit: 64))
        let sample: [UInt8] = [4, 2, 1, 0, 2, 0]
        for _ in 0..<4 { try sample.withUnsafeBytes { try writer.append($0) } }
        _ = try writer.finish()
        return try folder.bytes(of: "mds/index.json")
      }
    },
    read: { input, folder in try readMDSIndex(input, in: folder) }),
  FuzzedParser(
    name: "mds-shard", seeds: { _ in MDSCase.seeds(isCompressed: false) },
    read: { input, folder in
      var input = input
      var mdsCase = MDSCase(&input)
      let content = Array(input.rest)
      try mdsCase.readRaw(content, in: folder)
    }),
  FuzzedParser(
    name: "mds-stream", seeds: { _ in MDSCase.seeds(isCompressed: true) },
    read: { input, folder in
      var input = input
      var mdsCase = MDSCase(&input)
      let rawByteCount = Int(input.number(UInt16.self))
      try mdsCase.readCompressed(Array(input.rest), rawByteCount: rawByteCount, in: folder)
    }),
]

/// Reads an index; what is accepted is written and read as the same, and lies within its limits.
private func readMDSIndex(_ input: FuzzInput, in folder: FuzzFolder) throws {
  let below = FuzzFolder(folder.makeFolder("index"))
  below.write(Array(input.rest), to: "index.json")
  let entries = try MDSFolder.read(folder: below.path)
  below.write(try MDSIndexText.bytes(of: entries), to: "index.json")
  let again = try MDSFolder.read(folder: below.path)
  expect(again == entries, "an index comes back")
  for entry in entries.prefix(64) {
    expect(CorpusManifest.isSafePath(entry.path), "paths stay in the folder")
    expect((0...MDSShardEntry.sampleLimit).contains(entry.sampleCount), "samples in their limit")
    expect((8...Int(UInt32.max)).contains(entry.rawByteCount), "bytes in their limit")
    expect(entry.storedByteCount > 0, "the stored file is not empty")
    expect(again.contains { $0.checksum == entry.checksum }, "the checksum is of what is recorded")
    for column in entry.columns.prefix(8) {
      for type in [nil, StoredTokenType.uint16] {
        // There is no shard: nothing but the entry can be counted.
        let wanted = MDSColumn(name: column.name, storedType: type, samples: .joinedWithEndOfText)
        let count = try? entry.count(wanted, in: below.path, domain: "fuzz")
        expect(count?.tokenCount ?? 0 >= 0, "tokens are counted")
      }
    }
  }
}
