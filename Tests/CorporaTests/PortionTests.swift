import Corpora
import Testing

@Suite struct PortionTests {
  @Test(.timeLimit(.minutes(5)))
  func everyFileAndByteIsInOnePortion() throws {
    let folder = try ScratchFolder()
    var files: [InputFile] = []
    for (name, byteCount) in [
      ("a.jsonl", 1000), ("b.txt", 5000), ("c.jsonl", 100), ("d.jsonl", 301), ("e.txt", 0),
    ] {
      let path = try folder.write([UInt8](repeating: 0x61, count: byteCount), to: name)
      files.append(try #require(try InputFile(path: path)))
    }
    let portions = Portion.portions(of: files, rangeByteCount: 300)
    var ranges: [[Range<Int>]] = files.map { _ in [] }
    for portion in portions {
      for file in portion.files { ranges[file].append(portion.bytes ?? 0..<files[file].byteCount) }
    }
    #expect(ranges[0] == [0..<300, 300..<600, 600..<900, 900..<1000])
    #expect(ranges[1] == [0..<5000])
    #expect(ranges[2] == [0..<100])
    #expect(ranges[3] == [0..<300, 300..<301])
    #expect(ranges[4] == [0..<0])
  }
}
