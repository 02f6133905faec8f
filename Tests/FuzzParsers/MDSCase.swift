internal import Corpora

/// One way in which an MDS shard holds tokens and is read, and the checks of any bytes read so.
struct MDSCase {
  private var options: FuzzOptions
  private let columns: [MDSShardEntry.Column]
  private let column: MDSColumn
  private let tokenizer: TokenizerDescription
  private let width: TokenWidth
  private let sampleCount: Int?

  /// The encodings, the size of their values, and what a domain has to declare.
  private static let encodings: [(name: String, byteCount: Int?, type: StoredTokenType?)] = [
    ("bytes", nil, .uint16), ("bytes", nil, .int64), ("bytes", nil, .uint8), ("int", 8, nil),
    ("uint16", 2, nil), ("int32", 4, nil), ("uint64", 8, nil), ("ndarray", nil, nil),
    ("ndarray", nil, .int32), ("ndarray:uint16", nil, nil), ("ndarray:int32", nil, nil),
    ("ndarray:int64", nil, nil), ("ndarray:uint8", nil, nil), ("ndarray:uint16:4", 8, nil),
    ("ndarray:int8:3", 3, nil), ("ndarray:uint32:2,2", 16, nil), ("str", nil, nil),
  ]

  /// Takes the case from the beginning of an input.
  ///
  /// `repairs`: the index records the samples that the shard says. `first`: it records the shard's
  /// XXH64. `second`: it records another hash. `third` and `fourth`: columns before and behind.
  init(_ input: inout FuzzInput) {
    options = FuzzOptions(rawValue: input.byte())
    let encoding = input.choice(of: Self.encodings)
    let samples = input.choice(of: SampleRule.allCases)
    width = options.width
    let size = input.choice(of: width == .uint16 ? [65_536, 257, 3, 1] : [1 << 31, 70_000])
    tokenizer = TokenizerDescription(name: "fuzz", vocabularySize: size, endOfText: size - 1)
    let recorded = Int(input.byte())
    sampleCount = options.contains(.repairs) ? nil : recorded
    column = MDSColumn(name: "tokens", storedType: encoding.type, samples: samples)
    var columns = [
      MDSShardEntry.Column(
        name: "tokens", encoding: encoding.name, byteCount: encoding.byteCount)
    ]
    if options.contains(.third) {
      columns.insert(MDSShardEntry.Column(name: "a", encoding: "str", byteCount: nil), at: 0)
      columns.insert(MDSShardEntry.Column(name: "b", encoding: "float64", byteCount: 8), at: 1)
    }
    if options.contains(.fourth) {
      columns.append(MDSShardEntry.Column(name: "z", encoding: "pkl", byteCount: nil))
    }
    self.columns = columns
  }

  /// The entry of a shard, as it is read from an index.
  private func entry(
    _ content: [UInt8], stored: [UInt8]?, rawByteCount: Int, in folder: FuzzFolder
  ) throws -> MDSShardEntry {
    var hashes: [String: String] = [:]
    let file = stored ?? content
    if options.contains(.first) { hashes["xxh64"] = XXHash.text(XXHash.hash64(file)) }
    if options.contains(.second) { hashes["SHA1"] = "0" }
    let said = content.number(at: 0, UInt32.self).map(Int.init) ?? 0
    let columns = columns.map { column in
      let size = column.byteCount.map(String.init) ?? "null"
      return (name: "\"\(column.name)\"", encoding: "\"\(column.encoding)\"", size: size)
    }
    let record = hashes.map { "\"\($0.key)\": \"\($0.value)\"" }.joined(separator: ",")
    func data(_ name: String, _ count: Int, _ hashes: String) -> String {
      #"{"basename": "\#(name)", "bytes": \#(count), "hashes": {\#(hashes)}}"#
    }
    let isRaw = stored == nil
    let text = """
      {"version": 2, "shards": [{"version": 2, "format": "mds",
        "column_names": [\(columns.map(\.name).joined(separator: ","))],
        "column_encodings": [\(columns.map(\.encoding).joined(separator: ","))],
        "column_sizes": [\(columns.map(\.size).joined(separator: ","))],
        "compression": \(isRaw ? "null" : "\"zstd\""), "samples": \(sampleCount ?? said),
        "raw_data": \(data(isRaw ? "shard" : "raw", rawByteCount, isRaw ? record : "")),
        "zip_data": \(isRaw ? "null" : data("shard", file.count, record))}]}
      """
    folder.write(Array(text.utf8), to: "index.json")
    folder.write(file, to: "shard")
    guard let entry = try MDSFolder.read(folder: folder.path).first else {
      fail("the index has one shard")
    }
    return entry
  }

  /// Reads a raw shard in every way.
  ///
  /// Whatever way accepts it gives the same tokens, all of the vocabulary; compressed, it gives
  /// them too. A shard that is not the one that was hashed is refused.
  mutating func readRaw(_ content: [UInt8], in folder: FuzzFolder) throws {
    let entry = try entry(
      content, stored: nil, rawByteCount: content.count, in: folder)
    let count = try entry.count(column, in: folder.path, domain: "fuzz").tokenCount
    let shard = try MDSShard(
      entry, column: column, tokenizer: tokenizer, folder: folder.path, domain: "fuzz")
    expect(shard.tokenCount == count, "a shard has the tokens that were counted")
    guard count <= 1 << 20 else { fail("\(count) tokens in \(content.count) bytes") }
    try verify({ try shard.verify() })
    var whole = [UInt8](repeating: 0, count: count * width.byteCount)
    try whole.withUnsafeMutableBytes { try shard.read(0..<count, into: $0, width: width) }
    checkVocabulary(whole)
    try readPieces(of: shard, whole)
    let streamed = try stream(entry, in: folder, roomFor: count)
    expect(streamed == whole, "a stream gives what ranges give")
    options.remove([.first, .second])
    let packed = compressed(content)
    let other = try self.entry(
      content, stored: packed, rawByteCount: content.count, in: folder)
    expect(try stream(other, in: folder, roomFor: count) == whole, "so does a compressed shard")
  }

  /// Reads a compressed shard: `content` as it is, or with `repairs` the frame that holds it.
  mutating func readCompressed(
    _ content: [UInt8], rawByteCount: Int, in folder: FuzzFolder
  ) throws {
    let isRepaired = options.contains(.repairs)
    let stored =
      isRepaired
      ? compressed(content, cuts: [rawByteCount % 97], hasChecksum: rawByteCount % 2 == 0) : content
    guard !stored.isEmpty else { return }
    let entry = try entry(
      content, stored: stored, rawByteCount: isRepaired ? content.count : rawByteCount, in: folder)
    let count = try entry.count(column, in: folder.path, domain: "fuzz").tokenCount
    guard count <= 1 << 20 else { fail("\(count) tokens in \(rawByteCount) bytes") }
    let whole = try stream(entry, in: folder, roomFor: count)
    checkVocabulary(whole)
    expect(whole.count == count * width.byteCount, "a stream has the tokens that were counted")
    let skipping = try MDSStream(
      entry, column: column, tokenizer: tokenizer, folder: folder.path, domain: "fuzz")
    try skipping.skip(count / 3)
    expect(
      try all(of: skipping, roomFor: count) == Array(whole[(count / 3 * width.byteCount)...]),
      "a stream goes on behind what was skipped")
  }

  /// All tokens of a stream, which was verified.
  private func stream(_ entry: MDSShardEntry, in folder: FuzzFolder, roomFor count: Int) throws
    -> [UInt8]
  {
    let stream = try MDSStream(
      entry, column: column, tokenizer: tokenizer, folder: folder.path, domain: "fuzz")
    try verify({ try stream.verify() })
    return try all(of: stream, roomFor: count)
  }

  /// A recorded hash that is wrong is found: of several the XXH64 is compared.
  private func verify(_ body: () throws -> Void) throws {
    try body()
    expect(
      options.contains(.first) || !options.contains(.second), "a shard with another hash is refused"
    )
  }

  private func all(of stream: MDSStream, roomFor count: Int) throws -> [UInt8] {
    var memory = [UInt8](repeating: 0, count: (count + 7) * width.byteCount)
    var done = 0
    while true {
      let end = min(memory.count, done + 61 * width.byteCount)
      let read = try memory.withUnsafeMutableBytes {
        try stream.read(
          into: UnsafeMutableRawBufferPointer(rebasing: $0[done..<end]), width: width)
      }
      done += read * width.byteCount
      if read == 0 { return Array(memory[..<done]) }
    }
  }

  private func readPieces(of shard: MDSShard, _ whole: [UInt8]) throws {
    for piece in [1, 7, 64] {
      var begin = shard.tokenCount / 5
      for _ in 0..<8 where begin < shard.tokenCount {
        let end = min(shard.tokenCount, begin + piece)
        var memory = [UInt8](repeating: 0, count: (end - begin) * width.byteCount)
        try memory.withUnsafeMutableBytes { try shard.read(begin..<end, into: $0, width: width) }
        expect(
          memory.elementsEqual(whole[(begin * width.byteCount)..<(end * width.byteCount)]),
          "a range gives what the whole gives")
        begin = end
      }
    }
  }

  private func checkVocabulary(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { bytes in
      for position in 0..<(bytes.count / width.byteCount) {
        let token = Int(width.token(at: position, of: bytes))
        expect(token < tokenizer.vocabularySize, "token \(token) is of the vocabulary")
      }
    }
  }

  // MARK: Seeds

  /// A valid shard of every encoding.
  static func seeds(isCompressed: Bool) -> [[UInt8]] {
    encodings.indices.dropLast().map { number in
      let encoding = encodings[number]
      let isWide = number % 2 == 1
      let hasOthers = number % 3 == 0
      // An array has no dimension of 0.
      let isArray = encoding.name.hasPrefix("ndarray")
      let samples = [[1, 2], isArray ? [4] : [], [3]].map { tokens in
        sample(tokens, encoding: encoding, hasOthers: hasOthers)
      }
      var options: FuzzOptions = [.repairs]
      if isWide { options.insert(.wide) }
      if hasOthers { options.formUnion([.third, .fourth]) }
      if number % 4 == 0 { options.insert(.first) }
      let head = [options.rawValue, UInt8(number), UInt8(number % 2), 0, 3]
      let content = shard(samples)
      guard isCompressed else { return head + content }
      return head + [UInt8(content.count), 0] + content
    }
  }

  private static func shard(_ samples: [[UInt8]]) -> [UInt8] {
    var writer = ByteWriter()
    writer.append(UInt32(samples.count))
    var offset = 4 * (samples.count + 2)
    for sample in [[]] + samples {
      offset += sample.count
      writer.append(UInt32(offset))
    }
    return writer.bytes + samples.joined()
  }

  /// A sample: of an encoding of fixed size as many tokens as fit.
  private static func sample(
    _ tokens: [UInt8], encoding: (name: String, byteCount: Int?, type: StoredTokenType?),
    hasOthers: Bool
  ) -> [UInt8] {
    let parts = encoding.name.split(separator: ":")
    let named =
      parts.count > 1 ? String(parts[1]) : encoding.name == "int" ? "int64" : encoding.name
    let type = encoding.type ?? StoredTokenType(rawValue: named) ?? .uint16
    var value: [UInt8] = []
    for token in tokens { value += [token] + [UInt8](repeating: 0, count: type.byteCount - 1) }
    if let byteCount = encoding.byteCount {
      value = Array((value + [UInt8](repeating: 0, count: byteCount)).prefix(byteCount))
    } else if encoding.name.hasPrefix("ndarray") {
      let codes: [StoredTokenType: UInt8] = [.uint16: 16, .int32: 33]
      value = [4, UInt8(tokens.count)] + value
      if parts.count == 1 { value = [codes[type] ?? 16] + value }
    }
    func count(_ bytes: [UInt8]) -> [UInt8] { [UInt8(bytes.count), 0, 0, 0] }
    let ownCount = encoding.byteCount == nil ? count(value) : []
    guard hasOthers else { return ownCount + value }
    let float = [UInt8](repeating: 9, count: 8)
    return count([65]) + ownCount + count([80, 46]) + [65] + float + value + [80, 46]
  }
}
