internal import CZstd

/// Writes the file of one MDS shard from the pieces of its content.
enum MDSFileWriter {
  /// Returns the hashes of pieces laid end to end.
  static func hashes(_ algorithms: [HashAlgorithm], of pieces: [[UInt8]]) -> [(
    HashAlgorithm, String
  )] {
    algorithms.map { algorithm in
      var hash = RunningHash(algorithm)
      for piece in pieces { piece.withUnsafeBytes { hash.add($0) } }
      return (algorithm, hash.text)
    }
  }

  /// Writes the pieces end to end, in one zstd frame where there is a level.
  ///
  /// - Returns: The size of what was written, and its hashes where it is compressed; without
  ///   compression they are ``hashes(_:of:)``, and are not computed again.
  static func write(
    _ pieces: [[UInt8]], to path: String, level: Int?, hashes algorithms: [HashAlgorithm]
  ) throws(CorpusError) -> (byteCount: Int, hashes: [(HashAlgorithm, String)]) {
    var file = try DurableFile(path: path)
    guard let level else {
      for piece in pieces { try file.write(piece) }
      let byteCount = file.byteCount
      try file.commit()
      return (byteCount, [])
    }
    var running = algorithms.map { RunningHash($0) }
    let frame = try FrameStream(level: level, contentByteCount: pieces.reduce(0) { $0 + $1.count })
    for (index, piece) in pieces.enumerated() {
      frame.begin(piece, isLast: index == pieces.count - 1)
      while let bytes = try frame.next() {
        for hash in running.indices { running[hash].add(bytes) }
        try file.write(bytes)
      }
    }
    let byteCount = file.byteCount
    try file.commit()
    return (byteCount, zip(algorithms, running).map { ($0, $1.text) })
  }

  /// One zstd frame that is made piece by piece, with its content's size and checksum.
  private final class FrameStream {
    private let context: OpaquePointer
    private let output = TextBuffer(capacity: ZSTD_CStreamOutSize())
    private var piece: [UInt8] = []
    private var position = 0
    private var isLast = false
    private var isDone = true

    init(level: Int, contentByteCount: Int) throws(CorpusError) {
      guard let context = ZSTD_createCCtx() else { throw .compressionFailed(code: -1) }
      self.context = context
      try Self.check(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(level)))
      try Self.check(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1))
      try Self.check(ZSTD_CCtx_setPledgedSrcSize(context, UInt64(contentByteCount)))
    }

    deinit { ZSTD_freeCCtx(context) }

    func begin(_ piece: [UInt8], isLast: Bool) {
      self.piece = piece
      self.isLast = isLast
      (position, isDone) = (0, false)
    }

    /// The next compressed bytes, until the next call; nil once the piece is taken in.
    func next() throws(CorpusError) -> UnsafeRawBufferPointer? {
      if isDone { return nil }
      var target = ZSTD_outBuffer(dst: output.base, size: output.capacity, pos: 0)
      let left = piece.withUnsafeBytes { bytes in
        var source = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: position)
        let left = ZSTD_compressStream2(
          context, &target, &source, isLast ? ZSTD_e_end : ZSTD_e_continue)
        position = source.pos
        return left
      }
      try Self.check(left)
      isDone = isLast ? left == 0 : position == piece.count
      return UnsafeRawBufferPointer(start: output.base, count: target.pos)
    }

    private static func check(_ result: Int) throws(CorpusError) {
      guard ZSTD_isError(result) != 0 else { return }
      throw .compressionFailed(code: Int(ZSTD_getErrorCode(result).rawValue))
    }
  }
}
