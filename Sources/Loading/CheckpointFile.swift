internal import Corpora

/// A file of named byte sections that is whole or not there: a loader's checkpoint, and beside it a
/// trainer's.
///
///     0   8   "HRCHECKP"
///     8   4   version, 1
///    12   4   n, the number of sections
///    16       per section: name length (4), name (UTF-8), content length (8)
///     …       the contents, one after another
///     …   8   XXH64 of all of the above
///
/// All numbers are little-endian. Writing is write, fsync, rename, fsync of the folder.
public enum CheckpointFile {
  private static let magic: UInt64 = 0x504B_4345_4843_5248  // "HRCHECKP"
  private static let version = 1
  private static let sectionLimit = 64
  private static let nameByteLimit = 256
  private static let byteLimit = 1 << 36

  /// Writes the sections durably to `path`.
  ///
  /// - Parameters:
  ///   - sections: Names and contents.
  ///   - path: The file's final path; what stood there is replaced when the new file is whole.
  /// - Throws: ``LoadingError/corpus(_:)`` if the file cannot be written.
  /// - Precondition: Names are unique, at most 256 bytes long, and at most 64.
  public static func write(_ sections: [(name: String, bytes: [UInt8])], to path: String)
    throws(LoadingError)
  {
    precondition(sections.count <= sectionLimit, "\(sections.count) sections are too many")
    var writer = ByteWriter()
    writer.append(magic)
    writer.append(UInt32(version))
    writer.append(UInt32(sections.count))
    for section in sections {
      precondition(section.name.utf8.count <= nameByteLimit, "section name too long")
      writer.append(UInt32(section.name.utf8.count))
      writer.bytes += section.name.utf8
      writer.append(UInt64(section.bytes.count))
    }
    for section in sections { writer.bytes += section.bytes }
    writer.append(XXHash.hash64(writer.bytes))
    do throws(CorpusError) {
      try DurableFile.write(writer.bytes, to: path)
    } catch {
      throw .corpus(error)
    }
  }

  /// Reads the sections of the file at `path`.
  ///
  /// - Parameter path: The file.
  /// - Returns: The contents by name.
  /// - Throws: ``LoadingError/checkpointDamaged(path:_:)``, or ``LoadingError/corpus(_:)`` if the
  ///   file cannot be read.
  public static func read(_ path: String) throws(LoadingError) -> [String: [UInt8]] {
    let bytes: [UInt8]
    do throws(CorpusError) {
      // A file that is something else is refused before all of it is read.
      let file = try FileReader(path: path)
      let head = try file.bytes(at: 0, count: min(16, file.byteCount))
      bytes =
        isCheckpoint(head) ? try FileReader.contents(of: path, limit: byteLimit) : head
    } catch {
      throw .corpus(error)
    }
    var parser = Parser(bytes: bytes, path: path)
    return try parser.sections()
  }

  private static func isCheckpoint(_ head: [UInt8]) -> Bool {
    head.starts(with: withUnsafeBytes(of: magic.littleEndian) { Array($0) })
  }

  /// Reads the file front to back; every length is checked before it is used.
  private struct Parser {
    let bytes: [UInt8]
    let path: String
    var position = 0

    init(bytes: [UInt8], path: String) {
      self.bytes = bytes
      self.path = path
    }

    func damage(_ fault: CheckpointFault) -> LoadingError {
      .checkpointDamaged(path: path, fault)
    }

    mutating func take(_ count: Int) throws(LoadingError) -> ArraySlice<UInt8> {
      guard count >= 0, count <= bytes.count - position else {
        throw damage(.length(recorded: count, fileByteCount: bytes.count))
      }
      defer { position += count }
      return bytes[position..<position + count]
    }

    mutating func number<Number: FixedWidthInteger>(_ type: Number.Type) throws(LoadingError)
      -> Number
    {
      let slice = try take(MemoryLayout<Number>.size)
      return slice.withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(as: type)) }
    }

    mutating func sections() throws(LoadingError) -> [String: [UInt8]] {
      guard bytes.count >= 24, try number(UInt64.self) == CheckpointFile.magic else {
        throw damage(.magic)
      }
      let version = Int(try number(UInt32.self))
      guard version == CheckpointFile.version else {
        throw damage(.version(found: version, supported: CheckpointFile.version))
      }
      let computed = bytes.withUnsafeBytes {
        XXHash.hash64(UnsafeRawBufferPointer(rebasing: $0[..<(bytes.count - 8)]))
      }
      let recorded = bytes.withUnsafeBytes {
        UInt64(
          littleEndian: $0.loadUnaligned(fromByteOffset: bytes.count - 8, as: UInt64.self))
      }
      guard recorded == computed else {
        throw damage(
          .checksum(recorded: XXHash.text(recorded), computed: XXHash.text(computed)))
      }
      return try contents(count: Int(try number(UInt32.self)))
    }

    private mutating func contents(count: Int) throws(LoadingError) -> [String: [UInt8]] {
      guard count <= CheckpointFile.sectionLimit else {
        throw damage(.length(recorded: count, fileByteCount: bytes.count))
      }
      var heads: [(name: String, byteCount: Int)] = []
      for _ in 0..<count {
        let nameByteCount = Int(try number(UInt32.self))
        guard nameByteCount <= CheckpointFile.nameByteLimit else {
          throw damage(.length(recorded: nameByteCount, fileByteCount: bytes.count))
        }
        let nameBytes = try take(nameByteCount)
        let name = String(decoding: nameBytes, as: UTF8.self)
        guard name.utf8.elementsEqual(nameBytes), !heads.contains(where: { $0.name == name })
        else { throw damage(.sectionName(name)) }
        heads.append((name, Int(clamping: try number(UInt64.self))))
      }
      var sections: [String: [UInt8]] = [:]
      for head in heads { sections[head.name] = Array(try take(head.byteCount)) }
      guard position == bytes.count - 8 else {
        throw damage(.length(recorded: position, fileByteCount: bytes.count))
      }
      return sections
    }
  }
}
