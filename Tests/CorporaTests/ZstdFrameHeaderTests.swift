import Corpora
import HeadraceTesting
import Testing

@Suite(.timeLimit(.minutes(5)))
struct ZstdFrameHeaderTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A skippable frame of 3 bytes.
  private static let skippable: [UInt8] = [0x53, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3]

  private func header(_ bytes: [UInt8]) throws -> ZstdFrameHeader? {
    try folder.replace("f", with: bytes)
    return try ZstdFrameHeader.first(of: FileReader(path: folder.path + "/f"))
  }

  @Test(
    "size and checksum of the first frame that holds content are known",
    arguments: [0, 1, 255, 256, 70_000], [false, true])
  func sound(byteCount: Int, checksum: Bool) throws {
    let content = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* $0) }
    for size in [false, true] {
      let frame = zstdFrame(content, hasChecksum: checksum, recordsSize: size)
      let next = zstdFrame([1, 2, 3], hasChecksum: !checksum)
      for bytes in [frame + next, Self.skippable + Self.skippable + frame + next] {
        let header = try #require(try header(bytes))
        #expect(header.hasChecksum == checksum)
        #expect(header.contentByteCount == (size ? byteCount : nil))
      }
    }
  }

  @Test func `what is no frame has no header`() throws {
    let frame = zstdFrame([1, 2, 3])
    #expect(try header([]) == nil)
    #expect(try header(Array("{\"text\": \"a\"}\n".utf8)) == nil)
    #expect(try header(Self.skippable) == nil)
    // A skippable frame that goes on beyond the file.
    #expect(try header([0x50, 0x2A, 0x4D, 0x18, 0xFF, 0xFF, 0xFF, 0xFF] + frame) == nil)
    for count in 0..<9 { #expect(try header(Array(frame[..<count])) == nil) }
  }
}
