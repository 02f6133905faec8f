// Covers: DurableFile.swift
import Corpora
import HeadraceTesting
import Testing

@Suite(.timeLimit(.minutes(5)))
struct FileReaderTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func text(_ body: () throws -> Void) -> String {
    let error = #expect(throws: CorpusError.self) { try body() }
    return error?.description ?? ""
  }

  @Test func bytesComeFromTheirPlace() throws {
    try folder.write(Array(0..<100), to: "file")
    let file = try FileReader(path: folder.path + "/file")
    #expect(file.byteCount == 100)
    #expect(try file.bytes(at: 97, count: 3) == [97, 98, 99])
    #expect(try file.bytes(at: 100, count: 0) == [])
    let early = text { _ = try file.bytes(at: 97, count: 4) }
    #expect(early.contains("ends at byte 100, but 4 bytes at 97 belong to it"))
    // Truncated since it was opened.
    try folder.write([1, 2], to: "file")
    #expect(text { _ = try file.bytes(at: 50, count: 4) }.contains("ends at byte 2,"))
  }

  @Test func whatIsNoFileIsRefusedAtOnce() throws {
    #expect(text { _ = try FileReader(path: folder.path + "/none") }.contains("/none"))
    #expect(text { _ = try FileReader(path: folder.path) }.contains("cannot open \(folder.path)"))
    if try folder.replaceByPipe("pipe") {
      #expect(text { _ = try FileReader(path: folder.path + "/pipe") }.contains("/pipe"))
    }
    try folder.write(Array(0..<100), to: "file")
    let path = folder.path + "/file"
    #expect(try FileReader.contents(of: path, limit: 100).count == 100)
    #expect(text { _ = try FileReader.contents(of: path, limit: 99) }.contains("at most 99"))
  }

  @Test func aDurableFileIsWholeOrNotThere() throws {
    let path = folder.path + "/durable"
    do {
      var abandoned = try DurableFile(path: path)
      try abandoned.write([1, 2, 3])
      #expect(abandoned.byteCount == 3)
    }
    #expect(text { _ = try FileReader(path: path) }.contains("cannot open"))
    try DurableFile.write([4, 5], to: path)
    do {
      var abandoned = try DurableFile(path: path)
      try abandoned.write([6])
    }
    #expect(try folder.bytes(of: "durable") == [4, 5])
    #expect(text { _ = try FileReader(path: path + ".tmp") }.contains("cannot open"))
    #expect(text { try DurableFile.write([1], to: folder.path + "/no/file") }.contains("/no/file"))
    #expect(DurableFile.parent(of: "a/b/c") == "a/b")
    #expect(DurableFile.parent(of: "/a") == "/")
    #expect(DurableFile.parent(of: "a") == ".")
  }
}
