internal import Corpora
internal import Foundation

/// Real text of this machine as word-level tokens, for benchmarks.
///
/// A word, or any other single byte, is a token: ids 0…255 are the bytes, the most frequent words
/// get the ids above, and a rarer word is spelled in bytes. That compresses about as sub-word
/// tokens do; bytes that each take 16 bits would flatter the decoder.
struct BenchCorpus {
  static let vocabularySize = 50_257
  static let endOfText: UInt32 = 50_256

  /// The tokens of all text that was found, document after document.
  private(set) var tokens: [UInt32] = []

  /// Reads text files below `folders`, in the order of their paths, until there are `tokenLimit`
  /// tokens.
  init(folders: [String], tokenLimit: Int) throws {
    let texts = Self.texts(below: folders, byteLimit: tokenLimit * 5)
    var counts: [ArraySlice<UInt8>: Int] = [:]
    for text in texts {
      Self.forEachWord(of: text) { word in if word.count > 1 { counts[word, default: 0] += 1 } }
    }
    let frequent = counts.sorted {
      $0.value != $1.value ? $0.value > $1.value : $0.key.lexicographicallyPrecedes($1.key)
    }
    var ids: [ArraySlice<UInt8>: UInt32] = [:]
    for (rank, entry) in frequent.prefix(Self.vocabularySize - 257).enumerated() {
      ids[entry.key] = UInt32(256 + rank)
    }
    tokens.reserveCapacity(tokenLimit + (1 << 20))
    for text in texts where tokens.count < tokenLimit {
      Self.forEachWord(of: text) { word in
        if let id = ids[word] { tokens.append(id) } else { tokens += word.map(UInt32.init) }
      }
      tokens.append(Self.endOfText)
    }
    guard tokens.count >= tokenLimit else {
      throw ToolFailure(
        "found \(tokens.count) tokens of text below \(folders.joined(separator: ", ")), not "
          + "\(tokenLimit); name more folders with --text or ask for fewer with --megatokens")
    }
    tokens.removeLast(tokens.count - tokenLimit)
  }

  /// Writes the tokens as `domainCount` domains, the k-th of k + 1 parts; shards of 2^24 tokens at
  /// most.
  func write(to folder: String, domainCount: Int, tokenWidth: TokenWidth) throws {
    let part = tokens.count / (domainCount * (domainCount + 1) / 2)
    var domains: [DomainManifest] = []
    for index in 0..<domainCount {
      let name = "domain-\(index)"
      try FileManager.default.createDirectory(
        atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
      let begin = part * (index * (index + 1) / 2)
      let own = tokens[begin..<begin + part * (index + 1)]
      let shards = try writeShards(of: own, domain: name, folder: folder, width: tokenWidth)
      domains.append(DomainManifest(name: name, splits: [.train: shards, .heldOut: []]))
    }
    try CorpusManifest(
      name: "bench",
      tokenizer: TokenizerDescription(
        name: "words", vocabularySize: Self.vocabularySize, endOfText: Int(Self.endOfText)),
      tokenWidth: tokenWidth, domains: domains
    ).write(to: folder + "/" + CorpusManifest.fileName)
  }

  private func writeShards(
    of tokens: ArraySlice<UInt32>, domain: String, folder: String, width: TokenWidth
  ) throws -> [ShardDescription] {
    let encoder = try FrameEncoder(tokenWidth: width, level: 3, endOfText: Self.endOfText)
    let shardTokens = (1 << 24) - 1000
    var shards: [ShardDescription] = []
    for begin in stride(from: tokens.startIndex, to: tokens.endIndex, by: shardTokens) {
      var end = min(begin + shardTokens, tokens.endIndex)
      if (end - begin) % tokensPerFrame == 0 { end -= 1 }
      let path = "\(domain)/train-\(shards.count).tokens.zst"
      var writer = try ShardWriter(path: folder + "/" + path, tokenWidth: width)
      for frame in stride(from: begin, to: end, by: tokensPerFrame) {
        let part = tokens[frame..<min(frame + tokensPerFrame, end)]
        try writer.append(Self.encode(part, width: width, using: encoder))
      }
      shards.append(try writer.finish(manifestPath: path))
    }
    return shards
  }

  private static func encode(
    _ tokens: ArraySlice<UInt32>, width: TokenWidth, using encoder: FrameEncoder
  ) throws -> EncodedFrame {
    switch width {
    case .uint16:
      let narrow = tokens.map { UInt16($0) }
      return try narrow.withUnsafeBytes { try encoder.encode($0) }
    case .uint32: return try tokens.withUnsafeBytes { try encoder.encode($0) }
    }
  }

  private static func texts(below folders: [String], byteLimit: Int) -> [[UInt8]] {
    var texts: [[UInt8]] = []
    var byteCount = 0
    for folder in folders {
      let names = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
      for name in names.sorted() {
        let path = folder + "/" + name
        var isFolder: ObjCBool = false
        guard byteCount < byteLimit,
          FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue,
          let bytes = try? FileReader.contents(of: path, limit: 4 << 20), isText(bytes)
        else { continue }
        texts.append(bytes)
        byteCount += bytes.count
      }
    }
    return texts
  }

  private static func isText(_ bytes: [UInt8]) -> Bool {
    bytes.count > 200 && !bytes.prefix(4096).contains(0) && bytes.prefix(2) != [0x1F, 0x8B]
  }

  private static func forEachWord(of text: [UInt8], _ body: (ArraySlice<UInt8>) -> Void) {
    var begin = 0
    while begin < text.count {
      var end = begin + 1
      // A space belongs to the word after it.
      if text[begin] == UInt8(ascii: " "), end < text.count, isLetter(text[end]) { end += 1 }
      if isLetter(text[end - 1]) { while end < text.count, isLetter(text[end]) { end += 1 } }
      body(text[begin..<end])
      begin = end
    }
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "z")
  }
}
