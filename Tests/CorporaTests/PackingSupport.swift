import CZstd
import Corpora
import Foundation

/// A folder that is removed when the test lets go of it.
final class ScratchFolder {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.path + "/headrace-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a file, and the folders above it.
  @discardableResult
  func write(_ bytes: [UInt8], to name: String) throws -> String {
    let file = path + "/" + name
    try FileManager.default.createDirectory(
      atPath: URL(fileURLWithPath: file).deletingLastPathComponent().path,
      withIntermediateDirectories: true)
    try Data(bytes).write(to: URL(fileURLWithPath: file))
    return file
  }

  @discardableResult
  func write(_ text: String, to name: String) throws -> String {
    try write(Array(text.utf8), to: name)
  }

  func exists(_ name: String) -> Bool {
    FileManager.default.fileExists(atPath: path + "/" + name)
  }
}

/// A small seeded generator, so that a failure can be made again.
struct SeededGenerator: RandomNumberGenerator {
  var value: UInt64

  init(_ seed: UInt64) { value = seed }

  mutating func next() -> UInt64 {
    value &+= 0x9E37_79B9_7F4A_7C15
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// Returns one zstd frame with content size and, unless told otherwise, checksum.
func zstdFrame(_ bytes: [UInt8], level: Int32 = 3, checksum: Bool = true) -> [UInt8] {
  let context = ZSTD_createCCtx()
  defer { ZSTD_freeCCtx(context) }
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, checksum ? 1 : 0)
  var output = [UInt8](repeating: 0, count: ZSTD_compressBound(bytes.count))
  let count = ZSTD_compress2(context, &output, output.count, bytes, bytes.count)
  return Array(output[..<count])
}

/// Returns a skippable frame.
func skippableFrame(_ content: [UInt8]) -> [UInt8] {
  let count = UInt32(content.count)
  return [0x50, 0x2A, 0x4D, 0x18] + (0..<4).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
    + content
}

/// Returns a JSON line that holds `text`, made by Foundation.
func jsonLine(_ text: String) throws -> String {
  String(decoding: try JSONEncoder().encode(["text": text]), as: UTF8.self) + "\n"
}

/// Returns a domain's documents, in order, each as its tokens without the end-of-text.
func documents(
  in folder: String, domain: String, split: Split
) throws -> [[UInt32]] {
  let corpus = try Corpus(at: folder)
  let index = try corpus.domainIndex(named: domain)
  let decoder = try FrameDecoder(verifiesContent: true)
  var documents: [[UInt32]] = []
  for shard in corpus.domains[index].shards[split, default: []].indices {
    let reader = try corpus.openShard(shard, of: split, domainIndex: index)
    var current: [UInt32] = []
    for (number, frame) in reader.index.frames.enumerated() {
      let byteCount = frame.tokenCount * corpus.tokenWidth.byteCount
      var bytes = [UInt8](repeating: 0, count: byteCount)
      try bytes.withUnsafeMutableBytes {
        try reader.decode(frame: number, into: $0, using: decoder)
      }
      bytes.withUnsafeBytes { bytes in
        for position in 0..<frame.tokenCount {
          let token = corpus.tokenWidth.token(at: position, of: bytes)
          if Int(token) == corpus.tokenizer.endOfText {
            documents.append(current)
            current = []
          } else {
            current.append(token)
          }
        }
      }
    }
    if !current.isEmpty { throw CorpusError.compressionFailed(code: -2) }
  }
  return documents
}

/// The same as text, for the bytes tokenizer.
func texts(in folder: String, domain: String, split: Split = .train) throws -> [String] {
  try documents(in: folder, domain: domain, split: split).map {
    String(decoding: $0.map { UInt8($0) }, as: UTF8.self)
  }
}

/// Returns the content of every file below `folder`, by its path there.
func contents(of folder: String) throws -> [String: Data] {
  var contents: [String: Data] = [:]
  for name in try FileManager.default.subpathsOfDirectory(atPath: folder) {
    var isFolder: ObjCBool = false
    _ = FileManager.default.fileExists(atPath: folder + "/" + name, isDirectory: &isFolder)
    if !isFolder.boolValue {
      contents[name] = try Data(contentsOf: URL(fileURLWithPath: folder + "/" + name))
    }
  }
  return contents
}

/// Returns the packing fault that `body` throws, or nil.
func packingFault(_ body: () throws -> Void) -> PackingFault? {
  do {
    try body()
  } catch CorpusError.packing(let fault) {
    return fault
  } catch {
    return nil
  }
  return nil
}
