import Corpora
import HeadraceTesting
import Loading
import Mixing
import Testing

/// Damage at every place of every format's files: an error that names the file, or exactly the same
/// tokens.
///
/// Where a format carries no integrity, tokens may differ unnoticed; what is promised then is less,
/// and said with each such case: no crash, no hang, and as many rows as the index says.
@Suite(.timeLimit(.minutes(5)))
struct FormatDamageTests {
  /// A format, with or without what tells damage from data.
  enum Case: String, CaseIterable {
    case native, mdsRaw, mdsCompressed, compressedJSONLines
    /// Hashes recorded of no file; zstd's checksums remain.
    case mdsChecksumOnly
    /// Neither hashes nor checksums.
    case mdsRawBare, mdsCompressedBare, compressedJSONLinesBare
    case megatron, jsonLines

    var format: FormatFolder.Format {
      switch self {
      case .native: .native
      case .mdsRaw, .mdsRawBare: .mdsBytes
      case .mdsCompressed, .mdsChecksumOnly, .mdsCompressedBare: .mdsArrays
      case .compressedJSONLines, .compressedJSONLinesBare: .compressedJSONLines
      case .megatron: .megatron
      case .jsonLines: .jsonLines
      }
    }

    /// Whether damage of the tokens' files is always found.
    var isProtected: Bool {
      switch self {
      case .native, .mdsRaw, .mdsCompressed, .mdsChecksumOnly, .compressedJSONLines: true
      case .mdsRawBare, .mdsCompressedBare, .compressedJSONLinesBare, .megatron, .jsonLines: false
      }
    }
  }

  /// A small corpus and what it gives.
  private struct Sound {
    let folder: FormatFolder
    let test: Case
    let rows: [[UInt32]]

    /// The files of the first shard, the one with the tokens first.
    var files: [String] {
      switch test.format {
      case .mdsBytes, .mdsArrays: [folder.files[0][0], "domain-0/shard-0/index.json"]
      case .megatron: [folder.files[0][0], "domain-0/shard-0.idx"]
      default: [folder.files[0][0]]
      }
    }

    init(_ test: Case) throws {
      self.test = test
      let texts = [
        ["The mill race, é.", "water \"wheel\"\n and a weir, and 1 more word"],
        ["sluice and sluice gates"],
      ]
      folder = try FormatFolder(
        test.format, documents: [texts.map { $0 + $0.map { $0 + " again" } + ["the end"] }])
      try Self.strip(folder, test)
      rows = try Self.read(folder)
    }

    /// Takes hashes and checksums away.
    private static func strip(_ folder: FormatFolder, _ test: Case) throws {
      guard test.rawValue.hasSuffix("Bare") || test == .mdsChecksumOnly else { return }
      for (shard, file) in folder.files[0].enumerated() {
        let removesChecksum = test == .mdsCompressedBare || test == .compressedJSONLinesBare
        let before = try folder.folder.bytes(of: file)
        if removesChecksum {
          // One frame: the flag in its descriptor, and the four bytes at its end.
          var bytes = before
          #expect(bytes[4] & 4 == 4)
          bytes[4] &= ~4
          try folder.folder.write(Array(bytes.dropLast(4)), to: file)
        }
        guard test.format != .compressedJSONLines else { continue }
        let name = "domain-0/shard-\(shard)/index.json"
        var index = String(decoding: try folder.folder.bytes(of: name), as: UTF8.self)
        index = index.replacing(/"hashes": \{[^}]*\}/, with: "\"hashes\": {}")
        if removesChecksum {
          index = index.replacing(
            "\"bytes\": \(before.count),", with: "\"bytes\": \(before.count - 4),")
        }
        try folder.folder.write(Array(index.utf8), to: name)
      }
    }

    /// The rows of an epoch, or of text some more; throws what opening or reading throws.
    static func read(_ folder: FormatFolder) throws -> [[UInt32]] {
      let isOpenEnded = folder.format.isOpenEnded
      let loader = try Loader(
        folder.open(), policy: .static(.uniform), batch: .init(rows: 1, sequenceLength: 16),
        seed: 5,
        options: options {
          ($0.unitsPerPool, $0.byteBudget) = (1, 4 << 20)
          if !isOpenEnded { $0.epochCaps = ["domain-0": 1] }
        })
      var rows: [[UInt32]] = []
      // More than an epoch of text, of which nobody knows the end.
      while rows.count < 30, let batch = try loader.next() { rows += batch.rows().map(\.tokens) }
      return rows
    }

    /// Reads with every byte of every file changed in turn, and compares.
    ///
    /// `change` returns the other byte of a place, or the same one to leave the place out.
    func expectFound(_ what: String, changing change: (UInt8, Int) -> UInt8) throws {
      for file in files {
        let bytes = try folder.folder.bytes(of: file)
        #expect(bytes.count < 4000)
        for place in bytes.indices {
          var damaged = bytes
          damaged[place] = change(bytes[place], place)
          guard damaged != bytes else { continue }
          try expectFound(damaged, in: file, "\(what) \(place)")
        }
      }
    }

    /// Reads with one file damaged, and compares.
    func expectFound(_ bytes: [UInt8], in file: String, _ what: String) throws {
      let old = try folder.folder.bytes(of: file)
      try folder.folder.write(bytes, to: file)
      defer { try? folder.folder.write(old, to: file) }
      do {
        let found = try Self.read(folder)
        if test.isProtected || file != files[0] {
          // The file beside a shard says how its bytes are to be read; they are whole.
          try #require(found == rows, "\(test), \(file), \(what): other tokens")
        } else {
          // Nothing in the format tells other data from damage: as many rows as are counted.
          try #require(
            found.count == rows.count && found.allSatisfy { $0.count == 17 },
            "\(test), \(file), \(what): \(found.count) rows, not \(rows.count)")
        }
      } catch let error as LoadingError {
        try #require("\(error)".contains("shard-0"), "\(test), \(file), \(what): \(error)")
      } catch let error as CorpusError {
        try #require("\(error)".contains("shard-0"), "\(test), \(file), \(what): \(error)")
      }
    }
  }

  @Test("a flipped bit of any byte", arguments: Case.allCases)
  func flips(test: Case) throws {
    let sound = try Sound(test)
    #expect(sound.rows.count > 10)
    try sound.expectFound("bit of byte") { $0 ^ 1 << UInt8(($1 * 5 + 2) % 8) }
  }

  @Test("another byte at any place", arguments: Case.allCases)
  func bytes(test: Case) throws {
    try Sound(test).expectFound("byte") { $1 % 2 == 0 ? 0xFF : 0 }
  }

  @Test("a file cut at any length", arguments: Case.allCases)
  func truncations(test: Case) throws {
    let sound = try Sound(test)
    for file in sound.files {
      let bytes = try sound.folder.folder.bytes(of: file)
      for count in 0..<bytes.count {
        // A line feed at the end says nothing.
        let isPlainText = test == .jsonLines || file.hasSuffix(".json")
        if isPlainText, count == bytes.count - 1 { continue }
        // Plain text that ends with a line may have been all of it: its fingerprint alone tells.
        if test == .jsonLines, count == 0 || bytes[count - 1] == UInt8(ascii: "\n") { continue }
        if test == .jsonLines, bytes[count] == UInt8(ascii: "\n") { continue }
        try sound.expectFound(Array(bytes[..<count]), in: file, "cut at \(count)")
      }
    }
  }

  @Test("surplus at the end, and another shard in a shard's place", arguments: Case.allCases)
  func replacements(test: Case) throws {
    let sound = try Sound(test)
    let fingerprint = try sound.folder.open().domains[0].fingerprint
    for file in sound.files {
      let bytes = try sound.folder.folder.bytes(of: file)
      try sound.expectFound(bytes + [0], in: file, "a byte more")
      guard file == sound.files[0] else { continue }
      let other = try sound.folder.folder.bytes(of: file.replacing("shard-0", with: "shard-1"))
      switch test {
      case .native, .jsonLines, .compressedJSONLines, .compressedJSONLinesBare:
        // A whole file that is another one is another corpus, which nothing beside it contradicts:
        // the fingerprint is another, so that no checkpoint is resumed on it.
        for whole in test == .native ? [other] : [other, bytes + bytes] {
          try sound.folder.folder.write(whole, to: file)
          #expect(try sound.folder.open().domains[0].fingerprint != fingerprint)
        }
        try sound.folder.folder.write(bytes, to: file)
      default:
        try sound.expectFound(bytes + bytes, in: file, "twice")
        try sound.expectFound(other, in: file, "another's")
      }
    }
  }
}
