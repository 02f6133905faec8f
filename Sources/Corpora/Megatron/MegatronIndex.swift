/// What a Megatron `.idx` file says of the `.bin` file beside it.
///
/// All numbers are little-endian; most of them lie at no multiple of their size.
///
///      0    9   "MMIDIDX" and two NULs
///      9    8   version, 1
///     17    1   code of the integers' type
///     18    8   S, sequences
///     26    8   D, document boundaries: documents + 1
///     34   4S   lengths of the sequences in tokens
///     34+4S  8S   where the sequences begin in the `.bin` file, in bytes
///     34+12S 8D   the sequences with which documents begin; the first is 0, the last S
///     then    S   modes, which only builds for several media write and nothing here reads
///
/// Sequences lie end to end, so the file of tokens is one row of them: this program keeps none of
/// the arrays, and reading one is a comparison of each number with those before it.
package struct MegatronIndex: Sendable, Equatable {
  /// The integers in the `.bin` file.
  package var type: StoredTokenType
  /// The number of sequences, each of which Megatron takes for a document when it trains.
  package var sequenceCount: Int
  /// The number of documents.
  package var documentCount: Int
  /// The number of tokens.
  package var tokenCount: Int
  /// The number of tokens in every sequence; nil where they differ or there is none.
  package var sequenceTokenCount: Int?
  /// The XXH64 of the `.idx` file: what stands for the shard in a fingerprint.
  package var checksum: UInt64

  private static let magic = Array("MMIDIDX".utf8) + [0, 0]
  private static let headByteCount = 34
  /// Larger files are taken for damage, and all sums of what they hold fit an `Int`.
  private static let fileByteLimit = 1 << 42
  private static let tokenLimit = 1 << 50

  /// Reads the index of the shard at `prefix`, `prefix.idx`, and compares the size of `prefix.bin`.
  ///
  /// - Complexity: O(sequences) time; a buffer of 192 KiB.
  package static func read(prefix: String, domain: String, access: FileAccess = .direct)
    throws(CorpusError) -> MegatronIndex
  {
    let file = try FileReader(path: prefix + ".idx", access: access)
    let place = ShardPlace(domain: domain, path: file.path)
    var reader = try Reader(file: file, place: place)
    let index = try reader.read()
    let data = try FileReader(path: prefix + ".bin", access: access)
    let expected = index.tokenCount * index.type.byteCount
    guard data.byteCount == expected else {
      throw .megatronDamaged(
        place, byteOffset: 0, .dataByteCount(expected: expected, found: data.byteCount))
    }
    return index
  }

  private static func tokenType(ofCode code: UInt8) -> StoredTokenType? {
    switch code {
    case 1: .uint8
    case 2: .int8
    case 3: .int16
    case 4: .int32
    case 5: .int64
    case 8: .uint16
    default: nil
    }
  }

  /// One reading of an index.
  private struct Reader {
    let file: FileReader
    let place: ShardPlace
    private var index = MegatronIndex(
      type: .uint16, sequenceCount: 0, documentCount: 0, tokenCount: 0, checksum: 0)

    /// How many numbers are held at once.
    private static let atOnce = 1 << 13

    init(file: FileReader, place: ShardPlace) throws(CorpusError) {
      self.file = file
      self.place = place
    }

    private func damage(at byteOffset: Int, _ fault: MegatronFault) -> CorpusError {
      .megatronDamaged(place, byteOffset: byteOffset, fault)
    }

    mutating func read() throws(CorpusError) -> MegatronIndex {
      let boundaryCount = try readHead()
      let lengths = MegatronIndex.headByteCount
      let offsets = lengths + 4 * index.sequenceCount
      let documents = offsets + 8 * index.sequenceCount
      let end = documents + 8 * boundaryCount
      guard file.byteCount == end || file.byteCount == end + index.sequenceCount else {
        throw damage(
          at: 0, .fileByteCount(expected: end, found: file.byteCount))
      }
      try readSequences(lengths: lengths, offsets: offsets)
      try readDocuments(from: documents, count: boundaryCount)
      index.checksum = XXHash.value(try file.hash(.xxh64)) ?? 0
      return index
    }

    /// Reads what stands before the arrays, and returns the number of boundaries.
    private mutating func readHead() throws(CorpusError) -> Int {
      guard file.byteCount >= MegatronIndex.headByteCount else {
        throw damage(
          at: 0,
          .fileByteCount(expected: MegatronIndex.headByteCount, found: file.byteCount))
      }
      let head = try file.bytes(at: 0, count: MegatronIndex.headByteCount)
      guard head.starts(with: MegatronIndex.magic) else { throw damage(at: 0, .magic) }
      let version: UInt64 = number(head, 9)
      guard version == 1 else { throw damage(at: 9, .version(found: version)) }
      guard let type = MegatronIndex.tokenType(ofCode: head[17]) else {
        throw damage(at: 17, .tokenType(code: head[17]))
      }
      index.type = type
      let limit = min(file.byteCount, MegatronIndex.fileByteLimit)
      index.sequenceCount = try count("sequences", head, at: 18, limit: limit / 12)
      let boundaryCount = try count("document boundaries", head, at: 26, limit: limit / 8)
      guard boundaryCount >= 1 else {
        throw damage(at: 26, .document(boundary: 0, found: boundaryCount, allowed: 1...(limit / 8)))
      }
      index.documentCount = boundaryCount - 1
      return boundaryCount
    }

    private func count(_ field: String, _ head: [UInt8], at byteOffset: Int, limit: Int)
      throws(CorpusError) -> Int
    {
      let found: UInt64 = number(head, byteOffset)
      guard found <= UInt64(limit) else {
        throw damage(at: byteOffset, .count(field: field, found: found, limit: limit))
      }
      return Int(found)
    }

    private func number<Number: FixedWidthInteger>(_ bytes: [UInt8], _ byteOffset: Int) -> Number {
      bytes.withUnsafeBytes {
        Number(littleEndian: $0.loadUnaligned(fromByteOffset: byteOffset, as: Number.self))
      }
    }

    /// Reads lengths and offsets side by side: each sequence begins where the one before it ends.
    private mutating func readSequences(lengths: Int, offsets: Int) throws(CorpusError) {
      var isUniform = true
      for first in stride(from: 0, to: index.sequenceCount, by: Self.atOnce) {
        let count = min(Self.atOnce, index.sequenceCount - first)
        let lengthBytes = try file.bytes(at: lengths + 4 * first, count: 4 * count)
        let offsetBytes = try file.bytes(at: offsets + 8 * first, count: 8 * count)
        for place in 0..<count {
          let length: Int32 = number(lengthBytes, 4 * place)
          let offset: Int64 = number(offsetBytes, 8 * place)
          let expected = index.tokenCount * index.type.byteCount
          guard length >= 0, index.tokenCount <= MegatronIndex.tokenLimit else {
            throw damage(
              at: lengths + 4 * (first + place),
              .length(sequence: first + place, found: Int(length)))
          }
          guard offset == expected else {
            throw damage(
              at: offsets + 8 * (first + place),
              .offset(sequence: first + place, expected: expected, found: Int(offset)))
          }
          if first + place == 0 { index.sequenceTokenCount = Int(length) }
          isUniform = isUniform && index.sequenceTokenCount == Int(length)
          index.tokenCount += Int(length)
        }
      }
      if !isUniform { index.sequenceTokenCount = nil }
    }

    /// Reads the boundaries: from 0 upwards to the number of sequences.
    private func readDocuments(from documents: Int, count boundaryCount: Int)
      throws(CorpusError)
    {
      var last = 0
      for first in stride(from: 0, to: boundaryCount, by: Self.atOnce) {
        let count = min(Self.atOnce, boundaryCount - first)
        let bytes = try file.bytes(at: documents + 8 * first, count: 8 * count)
        for place in 0..<count {
          let boundary = first + place
          let found = Int(number(bytes, 8 * place) as Int64)
          let isLast = boundary == boundaryCount - 1
          let least = boundary == 0 ? 0 : isLast ? index.sequenceCount : last
          let most = boundary == 0 ? 0 : index.sequenceCount
          guard (least...most).contains(found) else {
            throw damage(
              at: documents + 8 * boundary,
              .document(boundary: boundary, found: found, allowed: least...most))
          }
          last = found
        }
      }
    }
  }
}
