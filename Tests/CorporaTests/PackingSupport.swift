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

/// Packs until something stands at `path`, as a run that is stopped there.
func packPart(of plan: PackPlan, to output: String, untilExists path: String) {
  _ = try? Packer(plan).pack(to: output) { FileManager.default.fileExists(atPath: path) }
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
