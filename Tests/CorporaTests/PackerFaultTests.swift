// Covers: PackingFault.swift, PackPlan.swift, PackPlan+JSON.swift
// Covers: InputListing.swift, BytePath.swift, TextFault.swift
import Corpora
import Foundation
import HeadraceTesting
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Keeps what a packer tells.
final class RecordingObserver: PackObserver {
  let seen = Locked<[PackProgress]>([])
  let notices = Locked<[PackNotice]>([])

  func packing(_ progress: PackProgress) { seen.withLock { $0.append(progress) } }
  func packing(notice: PackNotice) { notices.withLock { $0.append(notice) } }
}

@Suite struct PackerFaultTests {
  private func plan(_ folder: ScratchFolder) -> PackPlan {
    var plan = PackPlan(domains: [PackDomain(name: "d", inputs: [folder.path + "/in"])])
    plan.heldOutFraction = 0
    plan.maximumDocumentByteCount = 1000
    return plan
  }

  /// The bad document that stops packing, or nil.
  private func refused(_ folder: ScratchFolder) -> (DocumentFault, TextPlace)? {
    do {
      _ = try Packer(plan(folder)).pack(to: folder.path + "/out")
    } catch CorpusError.document(let fault, let place) {
      return (fault, place)
    } catch {}
    return nil
  }

  @Test(
    .timeLimit(.minutes(5)),
    arguments: [
      ("{\"text\":\"a\"}\n\n{\"text\":\"b}\n", 3, 25, DocumentFault.unexpectedEnd),
      ("\u{FEFF}{\"text\":\"a\"}\r\n{\"txt\":\"b\"}", 2, 17, .missingField(name: "text")),
      ("{\"text\":\"a\"}\n" + String(repeating: "x", count: 1001), 2, 13, .tooLong(limit: 1000)),
    ])
  func namesLineAndByteOfABadLine(
    text: String, line: Int, byteOffset: Int, fault: DocumentFault
  ) throws {
    let folder = try ScratchFolder()
    let path = try folder.write(text, to: "in/a.jsonl")
    let plain = try #require(refused(folder))
    #expect(plain.0 == fault)
    #expect(plain.1 == TextPlace(path: path, line: line, byteOffset: byteOffset, frame: nil))
    try FileManager.default.removeItem(atPath: path)
    let compressed = try folder.write(
      zstdFrame(Array("{\"text\":\"x\"}\n".utf8)) + zstdFrame(Array(text.utf8)),
      to: "in/a.jsonl.zst")
    // A byte order mark in the middle of a text is none.
    if text.hasPrefix("\u{FEFF}") { return }
    let found = try #require(refused(folder))
    #expect(
      found.1
        == TextPlace(path: compressed, line: line + 1, byteOffset: byteOffset + 13, frame: 1))
    #expect(!folder.exists("out"))
  }

  @Test(.timeLimit(.minutes(5)), arguments: [1, 10, 13, 14, 26, 40, 1000])
  func namesTheLineOfABadOneInAnyRange(rangeByteCount: Int) throws {
    let folder = try ScratchFolder()
    // Every line has 13 bytes; the fifth one is bad at its first.
    let good = String(repeating: "{\"text\":\"a\"}\n", count: 4)
    let path = try folder.write(good + "bad\n" + good, to: "in/a.jsonl")
    var resources = PackResources()
    resources.rangeByteCount = rangeByteCount
    do {
      _ = try Packer(plan(folder), resources: resources).pack(to: folder.path + "/out")
    } catch {
      guard case .document(.unexpectedByte(0x62), let place) = error else { throw error }
      #expect(place == TextPlace(path: path, line: 5, byteOffset: 52, frame: nil))
    }
    #expect(!folder.exists("out"))
  }

  @Test func namesTheBadByteOfATextFile() throws {
    let folder = try ScratchFolder()
    let path = try folder.write([0x61, 0x62, 0xFF], to: "in/a.txt")
    let found = try #require(refused(folder))
    #expect(found.0 == .invalidUTF8)
    #expect(found.1 == TextPlace(path: path, line: nil, byteOffset: 2, frame: nil))
  }

  @Test(.timeLimit(.minutes(5)))
  func skipsCountsAndNamesBadDocuments() throws {
    let folder = try ScratchFolder()
    try folder.write([0xFF], to: "in/a.txt")
    try folder.write("", to: "in/b.txt")
    try folder.write(String(repeating: "x", count: 1001), to: "in/c.txt")
    try folder.write("good", to: "in/d.txt")
    try folder.write("{\"text\":\"\"}\nbad\n{\"text\":\"also good\"}\n", to: "in/e.jsonl")
    var plan = plan(folder)
    plan.onBadDocument = .skip
    let observer = RecordingObserver()
    let report = try Packer(plan).pack(to: folder.path + "/out", observer: observer)
    #expect(report.domains[0].skippedDocumentCount == 3)
    #expect(report.domains[0].emptyDocumentCount == 2)
    #expect(try texts(in: folder.path + "/out", domain: "d").sorted() == ["also good", "good"])
    let skipped = observer.notices.withLock { $0 }.compactMap { notice in
      if case .skipped(let fault, _) = notice { fault } else { nil }
    }
    #expect(skipped == [.invalidUTF8, .tooLong(limit: 1000), .unexpectedByte(0x62)])
  }

  @Test(.timeLimit(.minutes(5)))
  func aDamagedCompressedFileIsNeverSkipped() throws {
    let folder = try ScratchFolder()
    let file = zstdFrame(Array("{\"text\":\"a\"}\n{\"text\":\"b\"}\n".utf8))
    try folder.write(Array(file.dropLast()), to: "in/a.jsonl.zst")
    var plan = plan(folder)
    plan.onBadDocument = .skip
    #expect(throws: CorpusError.self) { try Packer(plan).pack(to: folder.path + "/out") }
    #expect(!folder.exists("out"))
  }

  @Test(.timeLimit(.minutes(5)))
  func namesWhatIsMissingOrEmpty() throws {
    let folder = try ScratchFolder()
    #expect(throws: CorpusError.self) {
      try Packer(self.plan(folder)).pack(to: folder.path + "/out")
    }
    try folder.write("", to: "in/a.txt")
    var plan = plan(folder)
    #expect(
      packingFault { _ = try Packer(plan).pack(to: folder.path + "/out") }
        == .noDocuments(domain: "d"))
    plan.domains[0].include = ["*.py"]
    #expect(
      packingFault { _ = try Packer(plan).pack(to: folder.path + "/out") } == .noFiles(domain: "d"))
    plan = self.plan(folder)
    plan.heldOutFraction = 0.999_999_999
    try folder.write("text", to: "in/b.txt")
    #expect(
      packingFault { _ = try Packer(plan).pack(to: folder.path + "/out") }
        == .nothingToTrainOn(domain: "d", documentCount: 1))
  }

  @Test(.timeLimit(.minutes(5)))
  func refusesDomainNamesThatCannotBeFolders() {
    for names in [
      ["a", "A"], [".a"], ["a/b"], [""], ["corpus.json"], ["pack.json"], ["ü"], [".."],
    ] {
      let plan = PackPlan(domains: names.map { PackDomain(name: $0, inputs: ["x"]) })
      #expect(packingFault { _ = try Packer(plan) } == .domainName(names[names.count - 1]))
    }
  }

  @Test func refusesMoreDomainsThanAMixtureHas() throws {
    func plan(_ count: Int) -> PackPlan {
      PackPlan(domains: (0..<count).map { PackDomain(name: "d\($0)", inputs: ["x"]) })
    }
    _ = try Packer(plan(4096))
    #expect(
      packingFault { _ = try Packer(plan(4097)) } == .tooManyDomains(count: 4097, limit: 4096))
  }

  @Test func refusesATokenizerThatContradictsItself() throws {
    struct OddTokenizer: Tokenizer {
      var name = "odd"
      var vocabularySize: Int
      var endOfText: UInt32
      func encode(_ text: Span<UInt8>, into tokens: inout [UInt32]) { tokens.append(0) }
    }
    func fault(_ vocabularySize: Int, _ endOfText: UInt32) -> PackingFault? {
      let plan = PackPlan(domains: [PackDomain(name: "d", inputs: ["x"])])
      let odd = OddTokenizer(vocabularySize: vocabularySize, endOfText: endOfText)
      return packingFault { _ = try Packer(plan, tokenizer: odd) }
    }
    for (size, end) in [(256, 256), (256, 70_000), (0, 0), (-1, 0), (1 << 31 + 1, 0)] {
      let end = UInt32(end)
      #expect(
        fault(size, end) == .vocabulary(tokenizer: "odd", vocabularySize: size, endOfText: end))
    }
    #expect(fault(257, 256) == nil && fault(1 << 31, 0) == nil && fault(1, 0) == nil)
  }

  @Test(.timeLimit(.minutes(5)))
  func refusesValuesOutsideTheirLimits() {
    let changes: [(inout PackPlan) -> Void] = [
      { $0.level = 0 }, { $0.level = 20 }, { $0.level = -8 }, { $0.heldOutFraction = 1 },
      { $0.heldOutFraction = -0.1 }, { $0.heldOutFraction = .nan }, { $0.shardTokenCount = 0 },
      { $0.maximumDocumentByteCount = 0 }, { $0.tokenizer = "wordz" }, { $0.domains = [] },
      { $0.maximumDocumentByteCount = 1 << 28 },
    ]
    for change in changes {
      var plan = PackPlan(domains: [PackDomain(name: "d", inputs: ["x"])])
      change(&plan)
      #expect(packingFault { _ = try Packer(plan) } != nil)
    }
  }

  @Test(.timeLimit(.minutes(5)))
  func takesFilesByPatternAndFollowsNoLoop() throws {
    let folder = try ScratchFolder()
    for name in ["a.py", "b.txt", "sub/c.py", "sub/deep/d.py", ".hidden/e.py"] {
      try folder.write(name, to: "in/" + name)
    }
    try FileManager.default.createSymbolicLink(
      atPath: folder.path + "/in/sub/loop", withDestinationPath: "..")
    try FileManager.default.createSymbolicLink(
      atPath: folder.path + "/in/link.py", withDestinationPath: "a.py")
    func found(_ include: [String]) throws -> [String] {
      let domain = PackDomain(name: "d", inputs: [folder.path + "/in/"], include: include)
      return try InputListing.files(of: domain).map {
        String($0.path.dropFirst(folder.path.count + 4))
      }
    }
    #expect(try found(["*.py"]) == ["a.py", "link.py", "sub/c.py", "sub/deep/d.py"])
    #expect(try found(["sub/*.py"]) == ["sub/c.py", "sub/deep/d.py"])
    #expect(try found([]).count == 5)
    try FileManager.default.removeItem(atPath: folder.path + "/in/a.py")
    #expect(try found(["*.py"]) == ["sub/c.py", "sub/deep/d.py"])
  }

  /// Makes a file whose name is "caf", a byte that is not UTF-8, and `ending`.
  private func writeOddName(in folder: String, ending: String) -> Bool {
    let name = Array(folder.utf8) + Array("/caf".utf8) + [0xE9] + Array(ending.utf8) + [0]
    let descriptor = open(name.map { CChar(bitPattern: $0) }, O_CREAT | O_WRONLY, 0o644)
    return descriptor >= 0 && close(descriptor) == 0
  }

  @Test(.timeLimit(.minutes(5)))
  func namesAFileWhoseNameIsNotUTF8WhereItIsIncluded() throws {
    let folder = try ScratchFolder()
    try folder.write("text", to: "in/a.txt")
    guard writeOddName(in: folder.path + "/in", ending: ".md") else { return }
    var plan = plan(folder)
    #expect(
      packingFault { _ = try Packer(plan).pack(to: folder.path + "/out") }
        == .nameNotUTF8(path: folder.path + "/in/caf\\xe9.md"))
    plan.domains[0].include = ["*.txt"]
    _ = try Packer(plan).pack(to: folder.path + "/out")
    // In a folder that is to be replaced it is someone's.
    #expect(writeOddName(in: folder.path + "/out/d", ending: ".tokens.zst"))
    #expect(
      packingFault { _ = try Packer(plan).pack(to: folder.path + "/out", replacing: true) }
        == .foreignFile(path: folder.path + "/out/d/caf\\xe9.tokens.zst"))
  }

  @Test(.timeLimit(.minutes(5)))
  func passesOverALinkThatLeadsToNothing() throws {
    let folder = try ScratchFolder()
    try folder.write("text", to: "in/a.txt")
    let link = folder.path + "/in/b.txt"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "nowhere")
    let observer = RecordingObserver()
    _ = try Packer(plan(folder)).pack(to: folder.path + "/out", observer: observer)
    #expect(observer.notices.withLock { $0 } == [.danglingLink(path: link)])
    #expect(try texts(in: folder.path + "/out", domain: "d") == ["text"])
  }

  @Test(arguments: [
    (#"{"domains":[{"name":"a"}]}"#, "domains[0].inputs: missing."),
    (#"{"domains":[{"name":1,"inputs":[]}]}"#, "domains[0].name: Expected to decode String"),
    (#"{"domains":[],"token_width":2}"#, "token_width: a token has 16 or 32 bits, not 2."),
    (#"{"domains":["#, "not valid JSON"),
  ])
  func saysInWordsWhatIsWrongWithAPlan(text: String, words: String) throws {
    let folder = try ScratchFolder()
    let path = try folder.write(text, to: "plan.json")
    do {
      _ = try PackPlan(contentsOf: path)
      Issue.record("the plan was taken")
    } catch {
      #expect("\(error)".contains(words), "\(error)")
      for word in ["CodingKey", "DecodingError", "UserInfo"] {
        #expect(!"\(error)".contains(word), "\(error)")
      }
    }
  }

  @Test func aPlanHasItsTokenWidthInBits() throws {
    let folder = try ScratchFolder()
    var plan = PackPlan(domains: [PackDomain(name: "a", inputs: ["b"])])
    plan.tokenWidth = .uint32
    #expect(plan.json.contains("\"token_width\" : 32"))
    #expect(try PackPlan(contentsOf: folder.write(plan.json, to: "plan.json")) == plan)
  }

  @Test func plansAreReadWithDefaultsAndWithoutMistakes() throws {
    let folder = try ScratchFolder()
    let example = try folder.write(PackPlan.example.json, to: "plan.json")
    #expect(try PackPlan(contentsOf: example) == PackPlan.example)
    let short = try folder.write(
      #"{"domains":[{"name":"a","inputs":["b"]}],"seed":7}"#, to: "short.json")
    var plan = PackPlan(domains: [PackDomain(name: "a", inputs: ["b"])])
    plan.seed = 7
    #expect(try PackPlan(contentsOf: short) == plan)
    let wrong = try folder.write(
      #"{"domains":[{"name":"a","inputs":["b"]}],"sead":7}"#, to: "wrong.json")
    guard case .unknownKey(_, "sead", _) = packingFault({ _ = try PackPlan(contentsOf: wrong) })
    else {
      Issue.record("the unknown key was not named")
      return
    }
  }
}
