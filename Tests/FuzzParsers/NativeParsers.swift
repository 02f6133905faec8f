internal import Corpora

/// The index and the frames of native shards.
let nativeParsers = [
  FuzzedParser(
    name: "native-index", words: ["HEADRACE", "\u{0}\u{0}\u{4}\u{0}"],
    seeds: { folder in
      let cases: [([UInt8], TokenWidth)] = [([7, 7, 0], .uint16), ([1, 0], .uint32)]
      return try cases.flatMap { tokens, width in
        let file = try NativeFile.shard(tokens, width: width, in: folder)
        let full = try NativeFile.shard(tokens, width: width, fullFrames: 2, in: folder)
        return [[0] + file, [1] + full]
      }
    },
    read: { input, folder in try NativeFile.readIndex(input, in: folder) }),
  FuzzedParser(
    name: "native-frames",
    seeds: { _ in
      try [TokenWidth.uint16, .uint32].map { width in
        let encoder = try FrameEncoder(tokenWidth: width, level: 3, endOfText: 0)
        let tokens = (0..<60).map { UInt8($0 * $0 & 7) }
        let frame = try tokens.withUnsafeBytes { try encoder.encode($0) }
        let count = UInt8(60 / width.byteCount - 1)
        return [width == .uint32 ? 2 : 0, count, 0] + frame.bytes
      }
    },
    read: { input, folder in try NativeFile.readFrame(input, in: folder) }),
]

private enum NativeFile {
  private static let headByteCount = 8 + 40
  private static let entryByteCount = 28
  private static let seekEntryByteCount = 12
  private static let seekEdgesByteCount = 8 + 9

  /// A shard of some equal full frames and a short one.
  static func shard(
    _ tokens: [UInt8], width: TokenWidth, fullFrames: Int = 0, in folder: FuzzFolder
  ) throws -> [UInt8] {
    let encoder = try FrameEncoder(tokenWidth: width, level: 3, endOfText: 0)
    var writer = try ShardWriter(path: folder.path + "/shard", tokenWidth: width)
    let full = [UInt8](repeating: 0, count: tokensPerFrame * width.byteCount)
    for _ in 0..<fullFrames { try writer.append(full.withUnsafeBytes { try encoder.encode($0) }) }
    var short = ByteWriter()
    for token in tokens {
      if width == .uint16 { short.append(UInt16(token)) } else { short.append(UInt32(token)) }
    }
    try writer.append(short.bytes.withUnsafeBytes { try encoder.encode($0) })
    _ = try writer.finish(manifestPath: "shard")
    return try folder.bytes(of: "shard")
  }

  /// Reads the index of a file that the input is.
  ///
  /// What is accepted encodes to the bytes that it was read from.
  static func readIndex(_ input: FuzzInput, in folder: FuzzFolder) throws {
    var input = input
    let options = FuzzOptions(rawValue: input.byte())
    var bytes = Array(input.rest)
    if options.contains(.repairs) { repair(&bytes) }
    let file = try FileReader(path: folder.write(bytes, to: "shard"))
    let (index, checksum) = try ShardIndex.read(from: file, domain: "fuzz")
    let encoded = index.encoded()
    expect(encoded.checksum == checksum, "the checksum is the index's")
    expect(bytes.suffix(encoded.bytes.count).elementsEqual(encoded.bytes), "the index comes back")
    let dataByteCount = bytes.count - encoded.bytes.count
    expect(
      index.frames.allSatisfy {
        $0.byteCount > 0 && $0.byteOffset >= 0 && $0.byteOffset + $0.byteCount <= dataByteCount
          && (1...tokensPerFrame).contains($0.tokenCount) && $0.documentCount <= $0.tokenCount
      }, "frames lie in the file")
  }

  /// Makes what repeats the index or sums it up fit what its entries say.
  private static func repair(_ bytes: inout [UInt8]) {
    guard let entryCount = bytes.number(at: bytes.count - 9, UInt32.self).map(Int.init),
      (2...4096).contains(entryCount)
    else { return }
    let frameCount = entryCount - 1
    let seekTable = bytes.count - seekEdgesByteCount - entryCount * seekEntryByteCount
    let begin = seekTable - headByteCount - frameCount * entryByteCount - 8
    guard begin >= 0, let width = bytes.number(at: begin + 20, UInt32.self) else { return }
    var (tokenCount, documentCount, byteCount) = (UInt64(0), UInt64(0), 0)
    for frame in 0..<frameCount {
      let entry = begin + headByteCount + frame * entryByteCount
      if frame == frameCount - 1 { bytes.set(UInt32(clamping: begin - byteCount), at: entry + 4) }
      let tokens = bytes.number(at: entry, UInt32.self) ?? 0
      let stored = bytes.number(at: entry + 4, UInt32.self) ?? 0
      tokenCount += UInt64(tokens)
      documentCount += UInt64(bytes.number(at: entry + 8, UInt32.self) ?? 0)
      byteCount += Int(stored)
      let seek = seekTable + 8 + frame * seekEntryByteCount
      bytes.set(stored, at: seek)
      bytes.set(tokens &* width, at: seek + 4)
      bytes.set(bytes.number(at: entry + 16, UInt32.self) ?? 0, at: seek + 8)
    }
    bytes.set(tokenCount, at: begin + 24)
    bytes.set(documentCount, at: begin + 32)
    bytes.set(UInt32(frameCount), at: begin + 40)
    let checksum = XXHash.hash64(Array(bytes[(begin + 8)..<(seekTable - 8)]))
    bytes.set(checksum, at: seekTable - 8)
  }

  /// Decodes a frame of any bytes, whose hash and first token the index has right.
  ///
  /// `first`: the frame is a full one. `second`: libzstd compares the content's checksum. What is
  /// accepted fills all of the memory, and always with the same.
  static func readFrame(_ input: FuzzInput, in folder: FuzzFolder) throws {
    var input = input
    let options = FuzzOptions(rawValue: input.byte())
    let width = options.width
    let isFull = options.contains(.first)
    let tokenCount = isFull ? tokensPerFrame : 1 + Int(input.number(UInt16.self)) % 4096
    let bytes = Array(input.rest)
    guard !bytes.isEmpty, bytes.count <= tokenCount * 4 else { return }
    let encoder = try FrameEncoder(tokenWidth: width, level: 1, endOfText: 0)
    let plain = [UInt8](repeating: 0, count: width.byteCount)
    let valid = try plain.withUnsafeBytes { try encoder.encode($0) }
    let decoder = try FrameDecoder(verifiesContent: options.contains(.second))
    var memory = [UInt8](repeating: 0, count: tokenCount * width.byteCount)
    let fault = bytes.withUnsafeBytes { frame in
      memory.withUnsafeMutableBytes { decoder.decode(frame, into: $0) }
    }
    var frame = valid
    frame.bytes = bytes
    frame.tokenCount = tokenCount
    frame.hash = XXHash.hash64(bytes)
    frame.firstToken = memory.withUnsafeBytes { width.token(at: 0, of: $0) }
    var writer = try ShardWriter(path: folder.path + "/shard", tokenWidth: width)
    try writer.append(frame)
    if isFull { try writer.append(valid) }
    let description = try writer.finish(manifestPath: "shard")
    let shard = try ShardReader(
      path: folder.path + "/shard", domain: "fuzz", description: description, tokenWidth: width)
    var again = [UInt8](repeating: 0xFF, count: memory.count)
    do {
      try again.withUnsafeMutableBytes { try shard.decode(frame: 0, into: $0, using: decoder) }
    } catch {
      // The first token was taken from what was decoded, so that nothing else can be wrong.
      expect(fault != nil, "a frame that decodes is accepted: \(error)")
      throw error
    }
    expect(fault == nil && again == memory, "a frame decodes to the same twice")
  }
}
