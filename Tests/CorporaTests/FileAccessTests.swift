// Covers: ReadingThreads.swift, ByteFile.swift, Stall.swift, FileReader.swift, ReadActivity.swift
import Corpora
import HeadraceTesting
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

@Suite(.timeLimit(.minutes(5)))
struct FileAccessTests {
  private let folder: TemporaryFolder
  private let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9) }

  init() throws {
    folder = try TemporaryFolder()
    try folder.write(bytes, to: "file")
  }

  private var path: String { folder.path + "/file" }

  private func reader(_ files: FaultyFiles, milliseconds: Int = 10_000) throws -> FileReader {
    try FileReader(
      path: path, access: FileAccess(opener: files, timeoutInMilliseconds: milliseconds))
  }

  private func error(_ body: () throws -> Void) -> CorpusError? {
    #expect(throws: CorpusError.self) { try body() }
  }

  @Test("bytes come from their place, in memory or not", arguments: [false, true])
  func reads(holdsNothing: Bool) throws {
    let file = try reader(FaultyFiles(holdsNothing: holdsNothing))
    #expect(file.byteCount == bytes.count)
    for (begin, count) in [(0, 1), (5, 0), (1_048_570, 20), (0, bytes.count), (2_999_999, 1)] {
      #expect(try file.bytes(at: begin, count: count) == Array(bytes[begin..<begin + count]))
    }
    let early = error { _ = try file.bytes(at: 2_999_990, count: 20) }
    #expect(early?.description.contains("ends at byte 3000000") == true)
  }

  @Test("what passes within four attempts is not noticed", arguments: [false, true])
  func passing(holdsNothing: Bool) throws {
    let files = FaultyFiles(holdsNothing: holdsNothing)
    files.inject(.fails(EIO), .open, of: "file", count: 2)
    files.inject(.fails(EAGAIN), .open, of: "file", count: 1)
    let file = try reader(files)
    files.inject(.short(100_000), .read(0..<Int.max), of: "file", count: 7)
    files.inject(.fails(EINTR), .read(0..<Int.max), of: "file", count: 500)
    files.inject(.fails(EIO), .read(0..<Int.max), of: "file", count: 3)
    #expect(try file.bytes(at: 0, count: bytes.count) == bytes)
    #expect(files.metCount == 513)
    files.inject(.fails(EIO), .read(0..<Int.max), of: "file", count: 4)
    let text = error { _ = try file.bytes(at: 77, count: 9) }?.description
    #expect(text?.hasPrefix("cannot read \(path) at byte 77: ") == true)
    #expect(try file.bytes(at: 77, count: 9) == Array(bytes[77..<86]))
    files.inject(.fails(EINTR), .read(0..<Int.max), of: "file")
    #expect(error { _ = try file.bytes(at: 0, count: 1) }?.description.contains("errno 4") == true)
  }

  @Test func aReadThatComesTooLateTouchesNothing() throws {
    let files = FaultyFiles()
    let file = try reader(files, milliseconds: 50)
    files.inject(.hangs, .read(100..<101), of: "file", count: 1)
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1000, alignment: 1)
    defer { room.deallocate() }
    room.initializeMemory(as: UInt8.self, repeating: 1)
    let error = error { try file.read(into: room, at: 0) }
    #expect(
      error?.description.hasPrefix("\(path), byte 0: a read did not come back within 50 ms.")
        == true)
    files.mend()
    while files.hangCount > 0 { usleep(1000) }
    #expect(room.allSatisfy { $0 == 1 })
    try file.read(into: room, at: 0)
    #expect(room.elementsEqual(bytes[..<1000]))
  }

  @Test func aFileThatDoesNotOpenIsGivenUp() throws {
    let files = FaultyFiles()
    files.inject(.hangs, .open, of: "file", count: 1)
    let stall = error { _ = try reader(files, milliseconds: 50) }?.stall
    #expect(stall == Stall(.opening, path: path, timeoutInMilliseconds: 50))
    #expect(try reader(files).byteCount == bytes.count)
    files.mend()
  }

  @Test func callsThatHangAreBounded() throws {
    let files = FaultyFiles()
    let access = FileAccess(opener: files, timeoutInMilliseconds: 1)
    files.inject(.hangs, .open, of: "file")
    for _ in 0..<64 {
      #expect(error { _ = try FileReader(path: path, access: access) }?.stall != nil)
    }
    while files.hangCount < 64 { usleep(1000) }
    let refused = error { _ = try FileReader(path: path, access: access) }
    #expect(refused?.description.contains("64 calls for files have not come back") == true)
    files.mend()
    while files.hangCount > 0 { usleep(1000) }
    // Those that came back serve again.
    let later = access.within(milliseconds: 10_000)
    #expect(try FileReader(path: path, access: later).bytes(at: 9, count: 1) == [bytes[9]])
  }
}
