// Covers: Attempts.swift, ReadingThreads.swift, ByteFile.swift, Stall.swift, FileReader.swift
// Covers: ReadActivity.swift
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
    let file = try reader(files, milliseconds: 500)
    files.inject(.hangs, .read(100..<101), of: "file", count: 1)
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1000, alignment: 1)
    defer { room.deallocate() }
    room.initializeMemory(as: UInt8.self, repeating: 1)
    let error = error { try file.read(into: room, at: 0) }
    #expect(
      error?.description.hasPrefix("\(path), byte 0: a read did not come back within 500 ms.")
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
    let stall = error { _ = try reader(files, milliseconds: 500) }?.stall
    #expect(stall == Stall(.opening, path: path, timeoutInMilliseconds: 500))
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

  /// Waits for what another thread does.
  private func wait(until condition: () -> Bool) -> Bool {
    for _ in 0..<10_000 {
      if condition() { return true }
      usleep(1000)
    }
    return false
  }

  @Test func `nobody waits for a file to be closed`() throws {
    let files = FaultyFiles()
    let access = FileAccess(opener: files, timeoutInMilliseconds: 10_000)
    func readOne(at place: Int) throws -> [UInt8] {
      try FileReader(path: path, access: access).bytes(at: place, count: 1)
    }
    files.inject(.hangs, .close, of: "file")
    // More than may hang at once.
    for _ in 0..<6 { #expect(try readOne(at: 0) == [bytes[0]]) }
    #expect(wait { files.hangCount == 4 })
    #expect(try readOne(at: 5) == [bytes[5]])
    #expect(files.hangCount == 4 && files.metCount == 4)
    files.mend()
    // A fault that does nothing counts those that are closed from now on.
    files.inject(.short(1), .close, of: "file")
    #expect(wait { files.hangCount == 0 })
    #expect(try readOne(at: 9) == [bytes[9]])
    #expect(wait { files.metCount >= 5 })
  }

  @Test func `a file that opens too late is closed`() throws {
    let files = FaultyFiles()
    files.inject(.hangs, .open, of: "file", count: 1)
    #expect(error { _ = try reader(files, milliseconds: 500) }?.stall != nil)
    files.mend()
    files.inject(.short(1), .close, of: "file")
    #expect(wait { files.metCount == 2 })
  }

  @Test func `files are closed, on whatever thread`() throws {
    for access in [FileAccess.direct, FileAccess()] {
      // More than a process may have open, unless they are closed.
      for _ in 0..<3000 { _ = try FileReader(path: path, access: access).byteCount }
    }
  }

  @Test func `a spec whose folders or files hang is given up`() throws {
    try folder.makeFolder("web/below")
    try folder.write(Array("{\"text\": \"a\"}\n".utf8), to: "web/1.jsonl")
    try folder.write([], to: "web/2.jsonl.zst")
    func spec(_ domain: String) -> [UInt8] {
      Array(
        """
        {"format": "headrace-spec", "version": 1, "name": "s",
         "tokenizer": {"name": "bytes", "vocabulary_size": 257, "end_of_text": 256},
         "domains": [{"name": "a", \(domain)}]}
        """.utf8)
    }
    for (call, suffix, domain) in [
      (FaultyFiles.Call.names, "web", #""format": "jsonl", "train": ["web/*.jsonl"]"#),
      (.status, "1.jsonl", #""format": "jsonl", "train": ["web/1.jsonl"]"#),
      (.open, "1.jsonl", #""format": "jsonl", "train": ["web/1.jsonl"]"#),
      (.status, "index.json", #""format": "mds", "train": ["web"]"#),
      (.names, "web/", #""format": "mds", "train": ["web"]"#),
      (.status, "below", #""format": "mds", "train": ["web"]"#),
    ] {
      try folder.write(spec(domain), to: "spec.json")
      let files = FaultyFiles()
      let access = FileAccess(opener: files, timeoutInMilliseconds: 500)
      files.inject(.hangs, call, of: suffix)
      let stall = error { _ = try Corpus(at: folder.path + "/spec.json", access: access) }?.stall
      #expect(stall?.path.hasSuffix(suffix) == true, "\(call)")
      files.mend()
    }
  }

  @Test func `looking for checksums is given up`() throws {
    try folder.write([0x28, 0xB5, 0x2F, 0xFD, 4, 0, 0, 0, 0, 0], to: "a.jsonl.zst")
    let spec = """
      {"format": "headrace-spec", "version": 1, "name": "s",
       "tokenizer": {"name": "bytes", "vocabulary_size": 257, "end_of_text": 256},
       "domains": [{"name": "a", "format": "jsonl", "train": ["a.jsonl.zst"]}]}
      """
    try folder.write(Array(spec.utf8), to: "spec.json")
    let files = FaultyFiles()
    let corpus = try Corpus(
      at: folder.path + "/spec.json", access: FileAccess(opener: files)
    ).waiting(milliseconds: 500)
    files.inject(.hangs, .open, of: "a.jsonl.zst")
    let stall = error {
      _ = try corpus.unprotectedShardCount(of: .train, domainIndex: 0)
    }?.stall
    #expect(stall?.path.hasSuffix("a.jsonl.zst") == true)
    #expect(try Verification(corpus).run().faults.first?.error.stall != nil)
    files.mend()
  }

  @Test func `what passes while folders are looked through is not noticed`() throws {
    let files = FaultyFiles()
    let access = FileAccess(opener: files)
    try folder.write(Array("{\"text\": \"a\"}\n".utf8), to: "web.jsonl")
    let spec = """
      {"format": "headrace-spec", "version": 1, "name": "s",
       "tokenizer": {"name": "bytes", "vocabulary_size": 257, "end_of_text": 256},
       "domains": [{"name": "a", "format": "jsonl", "train": ["*.jsonl"]},
                   {"name": "b", "format": "jsonl", "train": ["web.jsonl"]}]}
      """
    try folder.write(Array(spec.utf8), to: "spec.json")
    files.inject(.fails(EIO), .names, of: folder.path, count: 3)
    files.inject(.fails(EIO), .status, of: "web.jsonl", count: 3)
    #expect(try Corpus(at: folder.path + "/spec.json", access: access).domains.count == 2)
    #expect(files.metCount == 6)
  }
}
