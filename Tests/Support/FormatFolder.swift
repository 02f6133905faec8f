public import Corpora

/// The same documents in every format that a corpus may have.
///
/// Tokens are the bytes of the text and 256 after each document, so that text, too, has them.
public final class FormatFolder: Sendable {
  /// The formats, and the ways in which they are read.
  public enum Format: String, Sendable, CaseIterable {
    case native
    /// Raw MDS shards whose samples are documents with their end-of-text, as bytes.
    case mdsBytes = "mds-bytes"
    /// Compressed MDS shards whose samples are documents without one, as arrays.
    case mdsArrays = "mds-arrays"
    case megatron
    case jsonLines = "jsonl"
    case compressedJSONLines = "jsonl.zst"

    /// Whether the shards are read from their beginning on.
    public var isStreamed: Bool {
      switch self {
      case .native, .mdsBytes, .megatron: false
      case .mdsArrays, .jsonLines, .compressedJSONLines: true
      }
    }

    /// Whether nobody knows how many tokens there are.
    public var isOpenEnded: Bool {
      switch self {
      case .native, .mdsBytes, .mdsArrays, .megatron: false
      case .jsonLines, .compressedJSONLines: true
      }
    }

    /// What the spec says of a domain, beside its name and its paths.
    fileprivate var keys: String {
      switch self {
      case .native: #""format": "native""#
      case .mdsBytes: #""format": "mds", "token_type": "uint16""#
      case .mdsArrays: #""format": "mds", "samples": "joined-with-end-of-text""#
      case .megatron: #""format": "megatron""#
      case .jsonLines, .compressedJSONLines: #""format": "jsonl", "field": "text""#
      }
    }
  }

  /// The end-of-text id of the bytes tokenizer.
  public static let endOfText: UInt32 = 256

  /// The folder with the spec and the shards.
  public let folder: TemporaryFolder
  /// The format.
  public let format: Format
  /// The tokens, `[domain][shard][token]`.
  public let tokens: [[[UInt32]]]
  /// The files that hold tokens, `[domain][shard]`, below ``folder``.
  public let files: [[String]]

  /// The names of the domains.
  public var names: [String] { tokens.indices.map { "domain-\($0)" } }

  /// Writes a corpus.
  ///
  /// - Parameters:
  ///   - format: the format.
  ///   - documents: the text, `[domain][shard][document]`, no document empty.
  /// - Throws: what the disk throws.
  public init(_ format: Format, documents: [[[String]]]) throws {
    self.format = format
    let folder = try TemporaryFolder()
    self.folder = folder
    tokens = documents.map { shards in
      shards.map { $0.flatMap { Array($0.utf8).map(UInt32.init) + [Self.endOfText] } }
    }
    var files: [[String]] = []
    for (domain, shards) in documents.enumerated() {
      try folder.makeFolder("domain-\(domain)")
      files.append(
        try shards.enumerated().map { shard, documents in
          try Self.write(
            documents, as: format, to: folder.path, name: "domain-\(domain)/shard-\(shard)")
        })
    }
    self.files = files
    try folder.write(Array(spec().utf8), to: "spec.json")
  }

  /// Opens the corpus.
  ///
  /// - Returns: the corpus of the spec.
  /// - Throws: a ``Corpora/CorpusError``.
  public func open() throws(CorpusError) -> Corpus { try Corpus(at: folder.path + "/spec.json") }

  /// Opens the corpus in another way.
  package func open(tokenizer: (any Tokenizer)? = nil, access: FileAccess) throws(CorpusError)
    -> Corpus
  {
    try Corpus(at: folder.path + "/spec.json", tokenizer: tokenizer, access: access)
  }

  private func spec() -> String {
    let domains = names.map {
      let suffix = format == .native || format.isOpenEnded ? ".*" : ""
      return #"{"name": "\#($0)", \#(format.keys), "train": ["\#($0)/shard-?\#(suffix)"]}"#
    }
    return """
      {"format": "headrace-spec", "version": 1, "name": "formats",
       "tokenizer": {"name": "bytes", "vocabulary_size": 257, "end_of_text": 256},
       "domains": [\(domains.joined(separator: ",\n"))]}
      """
  }

  /// Writes a shard and returns the file that holds its tokens.
  private static func write(
    _ documents: [String], as format: Format, to folder: String, name: String
  ) throws -> String {
    let path = folder + "/" + name
    switch format {
    case .mdsBytes: return name + "/" + (try writeSamples(documents, as: format, to: path))
    case .mdsArrays: return name + "/" + (try writeSamples(documents, as: format, to: path))
    case .megatron:
      try writeMegatron(documents, prefix: path)
      return name + ".bin"
    case .native, .jsonLines, .compressedJSONLines:
      let file = name + "." + (format == .native ? "tokens.zst" : format.rawValue)
      try writeFile(documents, as: format, to: folder, name: file)
      return file
    }
  }

  /// Writes an MDS folder of one shard and returns the shard's name.
  private static func writeSamples(_ documents: [String], as format: Format, to folder: String)
    throws -> String
  {
    let isRaw = format == .mdsBytes
    var writer = try MDSWriter(
      folder: folder,
      form: MDSWriter.Form(
        column: "tokens", encoding: isRaw ? "bytes" : "ndarray:int32", byteCount: nil,
        compression: isRaw ? nil : "zstd:1", sizeLimit: nil))
    for text in documents {
      let tokens = Array(text.utf8).map(UInt32.init)
      let value =
        isRaw
        ? SyntheticCorpus.bytes(of: tokens + [endOfText], width: .uint16)
        : arrayHead(tokens.count) + SyntheticCorpus.bytes(of: tokens, width: .uint32)
      try value.withUnsafeBytes { try writer.append($0) }
    }
    _ = try writer.finish()
    return isRaw ? "shard.00000.mds" : "shard.00000.mds.zstd"
  }

  /// The shape of an array of one dimension: dimensions and their width, then the dimension.
  private static func arrayHead(_ count: Int) -> [UInt8] {
    count < 256
      ? [1 << 2, UInt8(count)]
      : [1 << 2 | 1, UInt8(truncatingIfNeeded: count), UInt8(truncatingIfNeeded: count >> 8)]
  }

  /// Writes `.bin` and `.idx`; each document is a sequence with its end-of-text.
  private static func writeMegatron(_ documents: [String], prefix: String) throws {
    let tokens = documents.map { Array($0.utf8).map(UInt32.init) + [endOfText] }
    try DurableFile.write(
      tokens.flatMap { SyntheticCorpus.bytes(of: $0, width: .uint16) }, to: prefix + ".bin")
    var index = ByteWriter()
    index.bytes = Array("MMIDIDX\0\0".utf8)
    index.append(UInt64(1))
    index.append(UInt8(8))
    index.append(UInt64(tokens.count))
    index.append(UInt64(tokens.count + 1))
    for sequence in tokens { index.append(Int32(sequence.count)) }
    var offset = 0
    for sequence in tokens {
      index.append(Int64(offset))
      offset += 2 * sequence.count
    }
    for boundary in 0...tokens.count { index.append(Int64(boundary)) }
    try DurableFile.write(index.bytes, to: prefix + ".idx")
  }

  private static func writeFile(
    _ documents: [String], as format: Format, to folder: String, name: String
  ) throws {
    let path = folder + "/" + name
    switch format {
    case .mdsBytes, .mdsArrays, .megatron: return
    case .native:
      let tokens = documents.flatMap { Array($0.utf8).map(UInt32.init) + [endOfText] }
      try SyntheticCorpus.writeShard(
        tokens, width: .uint16, folder: folder, name: name, endOfText: endOfText)
    case .jsonLines:
      try DurableFile.write(documents.flatMap(line), to: path)
    case .compressedJSONLines:
      // Frames end anywhere, in the middle of lines too.
      var text = documents.flatMap(line)
      // The encoder takes whole tokens of two bytes; a blank line is no document.
      if text.count % 2 == 1 { text.append(UInt8(ascii: "\n")) }
      let encoder = try FrameEncoder(tokenWidth: .uint16, level: 1, endOfText: endOfText)
      var bytes: [UInt8] = []
      for begin in stride(from: 0, to: text.count, by: 99_998) {
        let part = text[begin..<min(begin + 99_998, text.count)]
        bytes += try part.withUnsafeBytes { try encoder.encode($0) }.bytes
      }
      try DurableFile.write(bytes, to: path)
    }
  }

  /// A line with the text and a field beside it; what JSON must escape is escaped, and every other
  /// "é" too.
  private static func line(_ text: String) -> [UInt8] {
    var line = Array(#"{"id": 7, "text": ""#.utf8)
    for (index, scalar) in text.unicodeScalars.enumerated() {
      switch scalar {
      case "\n": line += Array(#"\n"#.utf8)
      case "\"": line += Array(#"\""#.utf8)
      case "\\": line += Array(#"\\"#.utf8)
      case "é" where index % 2 == 0: line += Array(#"\u00e9"#.utf8)
      default: line += Array(String(scalar).utf8)
      }
    }
    return line + Array("\"}\n".utf8)
  }

  /// Makes up documents: lines of words, quotes and letters beyond ASCII, of many lengths.
  ///
  /// - Parameters:
  ///   - byteCount: about how many bytes all of them have.
  ///   - seed: other seeds give other text.
  /// - Returns: the documents.
  public static func documents(byteCount: Int, seed: UInt64) -> [String] {
    var state = seed &+ 1
    func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state >> 33
    }
    let words = ["mill", "race", "é", "wheel \"of\"", "\\weir\\", "sluice\n", "water", "42"]
    var documents: [String] = []
    var made = 0
    while made < byteCount {
      let length = Int(next() % 3000)
      var text = "\(seed)-\(documents.count)"
      while text.utf8.count < length {
        text += " " + words[Int(next() % UInt64(words.count))] + String(next() % 1000)
      }
      documents.append(text)
      made += text.utf8.count + 1
    }
    return documents
  }
}
