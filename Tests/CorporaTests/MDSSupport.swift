import Corpora
import HeadraceTesting

/// A small MDS shard, put together from formats.md alone and apart from the writer under test.
struct MDSSample {
  var columns: [(name: String, encoding: String, size: Int?)]
  /// By sample, each column's bytes.
  var values: [[[UInt8]]]
  var hashes: [String] = []
  /// How the content is stored.
  var frames = Frames.none
  /// Rewrites the raw bytes before they are hashed and compressed.
  var damage: ([UInt8]) -> [UInt8] = { $0 }

  enum Frames {
    case none
    case one(checksum: Bool)
    /// Frames of that many bytes with skippable frames before and between, none with its size.
    case several(byteCount: Int)
    /// Frames of so many bytes each, all with their sizes, the first alone with a checksum.
    case sized([Int])
  }

  /// The header text is passed over by readers.
  private static let header = Array("{\"format\": \"mds\", \"version\": 2}".utf8)

  var rawBytes: [UInt8] {
    let samples = values.map { sample in
      var bytes = ByteWriter()
      for (column, value) in zip(columns, sample) where column.size == nil {
        bytes.append(UInt32(value.count))
      }
      for value in sample { bytes.bytes += value }
      return bytes.bytes
    }
    var raw = ByteWriter()
    raw.append(UInt32(samples.count))
    var offset = 8 + 4 * samples.count + Self.header.count
    raw.append(UInt32(offset))
    for sample in samples {
      offset += sample.count
      raw.append(UInt32(offset))
    }
    raw.bytes += Self.header
    return damage(raw.bytes + samples.joined())
  }

  /// The stored bytes of `raw`.
  func stored(_ raw: [UInt8]) -> [UInt8] {
    switch frames {
    case .none: return raw
    case .one(let checksum): return zstdFrame(raw, hasChecksum: checksum, recordsSize: true)
    case .several(let byteCount):
      var bytes: [UInt8] = []
      var rest = raw[...]
      while !rest.isEmpty {
        // A skippable frame of 3 bytes.
        bytes += skippableFrame([1, 2, 3])
        bytes += zstdFrame(Array(rest.prefix(byteCount)), hasChecksum: true, recordsSize: false)
        rest = rest.dropFirst(byteCount)
      }
      return bytes
    case .sized(let byteCounts):
      var (bytes, place) = ([UInt8](), 0)
      for byteCount in byteCounts {
        bytes += zstdFrame(
          Array(raw[place..<place + byteCount]), hasChecksum: place == 0, recordsSize: true)
        place += byteCount
      }
      return bytes
    }
  }

  var path: String {
    if case .none = frames { return "shard.00000.mds" }
    return "shard.00000.mds.zstd"
  }

  /// The shard's object in an index.
  func record(_ raw: [UInt8], _ stored: [UInt8], samples: Int? = nil) -> String {
    func list(_ texts: [String]) -> String { "[" + texts.joined(separator: ", ") + "]" }
    func file(_ name: String, _ bytes: [UInt8]) -> String {
      let hashes = hashes.map { "\"\($0)\": \"\(Self.hash($0, bytes))\"" }
      return "{\"basename\": \"\(name)\", \"bytes\": \(bytes.count), "
        + "\"hashes\": {\(hashes.joined(separator: ", "))}}"
    }
    var isRaw = false
    if case .none = frames { isRaw = true }
    return """
      {"column_encodings": \(list(columns.map { "\"\($0.encoding)\"" })),
      "column_names": \(list(columns.map { "\"\($0.name)\"" })),
      "column_sizes": \(list(columns.map { $0.size.map(String.init) ?? "null" })),
      "compression": \(isRaw ? "null" : "\"zstd:7\""), "format": "mds",
      "hashes": \(list(hashes.map { "\"\($0)\"" })),
      "raw_data": \(file("shard.00000.mds", raw)),
      "samples": \(samples ?? values.count), "size_limit": "64mb", "version": 2,
      "zip_data": \(isRaw ? "null" : file("shard.00000.mds.zstd", stored)), "strange": {}}
      """
  }

  private static func hash(_ name: String, _ bytes: [UInt8]) -> String {
    guard let algorithm = HashAlgorithm(rawValue: name) else { return "not-known" }
    var hash = RunningHash(algorithm)
    bytes.withUnsafeBytes { hash.add($0) }
    return hash.text
  }

  /// Writes shard and index into a folder, and returns what reading the index gives.
  @discardableResult
  func write(to folder: TemporaryFolder, below: String = "", samples: Int? = nil) throws
    -> MDSShardEntry?
  {
    let raw = rawBytes
    let stored = stored(raw)
    try folder.write(stored, to: below + path)
    let record = record(raw, stored, samples: samples)
    try folder.write(
      Array("{\"shards\": [\(record)], \"version\": 2, \"more\": [1]}".utf8),
      to: below + "index.json")
    return try MDSFolder.read(folder: folder.path + "/" + below).first
  }
}

extension StoredTokenType {
  /// Little-endian numbers of this type.
  func bytes(_ tokens: [Int]) -> [UInt8] {
    tokens.flatMap { token in
      withUnsafeBytes(of: UInt64(bitPattern: Int64(token)).littleEndian) {
        Array($0.prefix(byteCount))
      }
    }
  }

  /// The code with which an array of this type begins.
  var arrayCode: UInt8 {
    switch self {
    case .uint8: 8
    case .int8: 9
    case .uint16: 16
    case .int16: 17
    case .uint32: 32
    case .int32: 33
    case .uint64: 64
    case .int64: 65
    }
  }
}

/// The bytes of an array's shape.
func shapeBytes(_ dimensions: [Int]) -> [UInt8] {
  let largest = dimensions.max() ?? 0
  let (code, width) = largest < 256 ? (0, 1) : largest < 65_536 ? (1, 2) : (2, 4)
  return [UInt8(dimensions.count << 2 | code)]
    + dimensions.flatMap { size in
      withUnsafeBytes(of: UInt64(size).littleEndian) { Array($0.prefix(width)) }
    }
}

/// Little-endian tokens as numbers.
func tokens(of memory: [UInt8], _ width: TokenWidth) -> [Int] {
  memory.withUnsafeBytes { bytes in
    (0..<memory.count / width.byteCount).map { Int(width.token(at: $0, of: bytes)) }
  }
}

extension TokenStream {
  /// All tokens, read in pieces of `piece` tokens.
  func allTokens(_ width: TokenWidth = .uint16, piece: Int = 1000) throws -> [Int] {
    var all: [Int] = []
    var memory = [UInt8](repeating: 0, count: piece * width.byteCount)
    while true {
      let count = try memory.withUnsafeMutableBytes { try read(into: $0, width: width) }
      all += tokens(of: Array(memory[..<(count * width.byteCount)]), width)
      if count < piece { return all }
    }
  }
}

extension TokenShard {
  /// The tokens of a range.
  func tokensRead(_ range: Range<Int>, _ width: TokenWidth = .uint16) throws -> [Int] {
    var memory = [UInt8](repeating: 0, count: range.count * width.byteCount)
    try memory.withUnsafeMutableBytes { try read(range, into: $0, width: width) }
    return tokens(of: memory, width)
  }
}
