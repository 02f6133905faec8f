/// Writes samples of one column as MDS shards, version 2, as MosaicML's writer does.
///
/// 1. A shard is cut before the sample that would make it larger than the size limit. A sample that
///    is larger by itself stands alone in a shard, and if it is the first of all an empty shard
///    comes before it: so does MosaicML's writer, and the same samples give the same shards.
/// 2. A compressed shard is one zstd frame with its content's size and checksum: other readers
///    count on the former and are guarded by the latter.
/// 3. XXH64 and SHA-1 of every file are recorded.
/// 4. Each file is durable when it has its name, and the index comes last: a folder without one is
///    not finished.
///
/// Memory is one uncompressed shard, and what zstd takes.
package struct MDSWriter: ~Copyable {
  /// What is written, and how.
  package struct Form: Sendable, Equatable {
    /// The column's name.
    package var column: String
    /// The encoding's name.
    package var encoding: String
    /// The size of each sample's value in bytes; nil where it varies.
    package var byteCount: Int?
    /// nil, or `zstd` with a level or without, as the index says it.
    package var compression: String?
    /// The most bytes of a shard, unless one sample has more; nil for no limit but the format's.
    package var sizeLimit: Int?
    /// The hashes to record.
    package var hashes: [HashAlgorithm]

    /// Describes what is written.
    package init(
      column: String, encoding: String, byteCount: Int?, compression: String? = "zstd",
      sizeLimit: Int? = 1 << 26, hashes: [HashAlgorithm] = [.sha1, .xxh64]
    ) {
      self.column = column
      self.encoding = encoding
      self.byteCount = byteCount
      self.compression = compression
      self.sizeLimit = sizeLimit
      self.hashes = hashes.sorted { $0.rawValue < $1.rawValue }
    }

    /// The zstd level; nil for no compression.
    fileprivate var level: Int? {
      compression.map { MDSShardEntry.zstdLevel(of: $0) ?? MDSShardEntry.usualLevel }
    }

    /// What an index and a shard's header both say, but for the header's end.
    fileprivate var facts: [(key: String, value: MDSText)] {
      [
        ("column_encodings", .list([.text(encoding)])), ("column_names", .list([.text(column)])),
        ("column_sizes", .list([byteCount.map { .number($0) } ?? .null])),
        ("compression", compression.map { .text($0) } ?? .null), ("format", .text("mds")),
        ("hashes", .list(hashes.map { .text($0.rawValue) })),
        ("size_limit", sizeLimit.map { .number($0) } ?? .null), ("version", .number(2)),
      ]
    }
  }

  /// How many samples were appended.
  package private(set) var sampleCount = 0

  private let folder: String
  private let form: Form
  private let header: [UInt8]
  /// The finished shards, as the index lists them.
  private var records: [MDSText] = []
  private var storedByteCount = 0
  /// The samples of the shard that is being filled, and where each ends among them.
  private var samples: [UInt8] = []
  private var ends: [Int] = []

  /// Makes the folder, which must not exist.
  package init(folder: String, form: Form) throws(CorpusError) {
    guard !Files.exists(folder) else { throw .export(.outputExists(path: folder)) }
    try Files.makeFolders(folder)
    self.folder = folder
    self.form = form
    header = MDSText.object(form.facts).bytes
  }

  /// Appends a sample, whose value is `value` as its encoding has it.
  ///
  /// - Throws: ``CorpusError`` if the disk is full, or if the sample makes a shard whose offsets do
  ///   not fit 32 bits.
  package mutating func append(_ value: UnsafeRawBufferPointer) throws(CorpusError) {
    precondition(form.byteCount == nil || form.byteCount == value.count, "not a value of its size")
    let byteCount = value.count + (form.byteCount == nil ? 4 : 0)
    if let limit = form.sizeLimit, size + byteCount + 4 > limit { try flush() }
    guard size + byteCount + 4 <= MDSShardEntry.byteLimit else {
      throw .export(
        .sampleTooLarge(path: folder, sample: sampleCount, limit: MDSShardEntry.byteLimit))
    }
    if form.byteCount == nil {
      withUnsafeBytes(of: UInt32(value.count).littleEndian) { samples.append(contentsOf: $0) }
    }
    samples.append(contentsOf: value)
    ends.append(samples.count)
    sampleCount += 1
  }

  /// Writes the last shard and the index, and returns how many shards there are and their size on
  /// disk.
  @discardableResult
  package consuming func finish() throws(CorpusError) -> (shardCount: Int, byteCount: Int) {
    if !ends.isEmpty { try flush() }
    let index = MDSText.object([("shards", .list(records)), ("version", .number(2))])
    try DurableFile.write(index.bytes, to: folder + "/" + MDSFolder.indexName)
    return (records.count, storedByteCount)
  }

  /// The size of the shard that is being filled, in bytes.
  private var size: Int { 8 + header.count + samples.count + 4 * ends.count }

  private mutating func flush() throws(CorpusError) {
    var head = ByteWriter()
    head.append(UInt32(ends.count))
    let first = 8 + 4 * ends.count + header.count
    head.append(UInt32(first))
    for end in ends { head.append(UInt32(first + end)) }
    head.bytes += header

    let digits = String(records.count)
    let name =
      "shard." + String(repeating: "0", count: max(0, 5 - digits.count)) + digits + ".mds"
    let storedName = form.level == nil ? name : name + ".zstd"
    let raw = MDSFileWriter.hashes(form.hashes, of: [head.bytes, samples])
    let stored = try MDSFileWriter.write(
      [head.bytes, samples], to: folder + "/" + storedName, level: form.level, hashes: form.hashes)
    let rawRecord = Self.record(name, byteCount: head.bytes.count + samples.count, raw)
    let storedRecord = Self.record(storedName, byteCount: stored.byteCount, stored.hashes)
    let facts =
      form.facts + [
        ("raw_data", rawRecord), ("samples", .number(ends.count)),
        ("zip_data", form.level == nil ? .null : storedRecord),
      ]
    records.append(.object(facts.sorted { $0.key < $1.key }))
    storedByteCount += stored.byteCount
    samples.removeAll(keepingCapacity: true)
    ends.removeAll(keepingCapacity: true)
  }

  private static func record(
    _ name: String, byteCount: Int, _ hashes: [(HashAlgorithm, String)]
  ) -> MDSText {
    .object([
      ("basename", .text(name)), ("bytes", .number(byteCount)),
      ("hashes", .object(hashes.map { ($0.0.rawValue, .text($0.1)) })),
    ])
  }
}

/// The JSON of an index, in the bytes that Python's `json.dumps` makes of it.
private indirect enum MDSText {
  case null
  case number(Int)
  case text(String)
  case list([MDSText])
  /// Keys and values, sorted by key.
  case object([(key: String, value: MDSText)])

  var bytes: [UInt8] { Array(json.utf8) }

  private var json: String {
    switch self {
    case .null: "null"
    case .number(let number): String(number)
    case .text(let text): Self.quoted(text)
    case .list(let values): "[" + values.map(\.json).joined(separator: ", ") + "]"
    case .object(let pairs):
      "{" + pairs.map { Self.quoted($0.key) + ": " + $0.value.json }.joined(separator: ", ") + "}"
    }
  }

  /// A text in quotes, with everything but ASCII in `\uXXXX`.
  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for unit in text.utf16 {
      switch unit {
      case 0x22: quoted += "\\\""
      case 0x5C: quoted += "\\\\"
      case 0x0A: quoted += "\\n"
      case 0x0D: quoted += "\\r"
      case 0x09: quoted += "\\t"
      case 0x08: quoted += "\\b"
      case 0x0C: quoted += "\\f"
      case 0x20...0x7F: quoted.unicodeScalars.append(UnicodeScalar(UInt8(unit)))
      default:
        let digits = String(unit, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      }
    }
    return quoted + "\""
  }
}
