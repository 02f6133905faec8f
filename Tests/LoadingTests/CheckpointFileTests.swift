import Corpora
import HeadraceTesting
import Loading
import Testing

@Suite(.timeLimit(.minutes(5)))
struct CheckpointFileTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path + "/checkpoint" }

  init() throws { folder = try TemporaryFolder() }

  private func writeSmall() throws -> [UInt8] {
    try CheckpointFile.write(
      [
        (name: "loader", bytes: Array("{\"step\":3}".utf8)), ("model", [1, 2, 3, 4]), ("empty", []),
      ],
      to: path)
    return try folder.bytes(of: "checkpoint")
  }

  @Test func sectionsComeBackAsTheyWere() throws {
    let bytes = try writeSmall()
    // 16 for the head, 12 each and the names, the contents, 8 for the checksum.
    #expect(bytes.count == 16 + 36 + 6 + 5 + 5 + 10 + 4 + 8)
    let sections = try CheckpointFile.read(path)
    #expect(
      sections == ["loader": Array("{\"step\":3}".utf8), "model": [1, 2, 3, 4], "empty": []])
    try CheckpointFile.write([], to: path)
    #expect(try CheckpointFile.read(path) == [:])
  }

  @Test func everyFlippedBitIsAnError() throws {
    let bytes = try writeSmall()
    for bit in 0..<bytes.count * 8 {
      var flipped = bytes
      flipped[bit / 8] ^= UInt8(1 << (bit % 8))
      try folder.write(flipped, to: "checkpoint")
      let error = #expect(throws: LoadingError.self) { try CheckpointFile.read(path) }
      #expect(error?.description.hasPrefix("the checkpoint \(path) is damaged: ") == true)
    }
  }

  @Test func everyTruncationAndEveryAddedByteIsAnError() throws {
    let bytes = try writeSmall()
    for count in bytes.indices {
      try folder.write(Array(bytes[..<count]), to: "checkpoint")
      let error = #expect(throws: LoadingError.self) { try CheckpointFile.read(path) }
      #expect(error?.description.contains(path) == true)
    }
    try folder.write(bytes + [0], to: "checkpoint")
    #expect(throws: LoadingError.self) { try CheckpointFile.read(path) }
    try folder.write(bytes + bytes, to: "checkpoint")
    #expect(throws: LoadingError.self) { try CheckpointFile.read(path) }
  }

  /// A file that someone wrote on purpose: the checksum holds, the lengths do not.
  @Test func hostileLengthsAreErrorsBeforeAnythingIsAllocated() throws {
    let bytes = try writeSmall()
    // Section count at 12; the first name's length at 16, its content's length at 26.
    for (byteOffset, value) in [
      (12, [0xFF, 0xFF, 0xFF, 0xFF]), (12, [4, 0, 0, 0]), (12, [2, 0, 0, 0]),
      (16, [0xFF, 0xFF, 0xFF, 0x7F]), (16, [7, 0, 0, 0]),
      (26, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]),
      (26, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]), (26, [11, 0, 0, 0]), (26, [9, 0]),
      (8, [2, 0, 0, 0]),
      // The third name becomes the second one, the first no UTF-8.
      (55, Array("model".utf8)), (20, [0xFF]),
    ] as [(Int, [UInt8])] {
      var hostile = Array(bytes.dropLast(8))
      hostile.replaceSubrange(byteOffset..<byteOffset + value.count, with: value)
      withUnsafeBytes(of: XXHash.hash64(hostile).littleEndian) { hostile += $0 }
      try folder.write(hostile, to: "checkpoint")
      #expect(throws: LoadingError.self) { try CheckpointFile.read(path) }
    }
  }

  @Test func aFileThatCannotBeOpenedOrWrittenIsNamed() throws {
    let missing = #expect(throws: LoadingError.self) { try CheckpointFile.read(path) }
    #expect(missing?.description.contains("cannot open \(path)") == true)
    let nowhere = folder.path + "/no/checkpoint"
    let error = #expect(throws: LoadingError.self) { try CheckpointFile.write([], to: nowhere) }
    #expect(error?.description.contains(nowhere) == true)
  }
}
