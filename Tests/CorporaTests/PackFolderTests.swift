// Covers: PackFolder.swift, PackOutput.swift, Files.swift
import Corpora
import Foundation
import Synchronization
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// What packing does to folders that stand where it works, and to what a killed run left there.
@Suite struct PackFolderTests {
  private let folder: ScratchFolder
  private let plan: PackPlan
  private let output: String

  init() throws {
    folder = try ScratchFolder()
    for index in 0..<8 { try folder.write("document \(index)", to: "in/\(index).txt") }
    var plan = PackPlan(domains: [PackDomain(name: "d", inputs: [folder.path + "/in"])])
    plan.name = "test"
    plan.heldOutFraction = 0
    self.plan = plan
    output = folder.path + "/out"
  }

  private var otherPlan: PackPlan {
    var plan = plan
    plan.seed = 9
    return plan
  }

  @discardableResult
  private func pack(
    _ plan: PackPlan? = nil, replacing: Bool = false, observer: (any PackObserver)? = nil
  ) throws -> PackReport {
    try Packer(plan ?? self.plan).pack(to: output, replacing: replacing, observer: observer)
  }

  /// The files of a corpus that `plan` made elsewhere.
  private func fresh(_ plan: PackPlan) throws -> [String: Data] {
    let path = folder.path + "/fresh-\(plan.seed)"
    _ = try Packer(plan).pack(to: path)
    return try contents(of: path)
  }

  private func move(_ name: String, to newName: String) throws {
    try FileManager.default.moveItem(
      atPath: folder.path + "/" + name, toPath: folder.path + "/" + newName)
  }

  @Test(
    .timeLimit(.minutes(5)),
    arguments: [
      "out.partial/mine/thesis.txt", "out.partial/thesis.txt", "out.partial/.work/thesis.txt",
      "out.partial/d/train-00000.tokens.zst", "out.partial",
    ])
  func leavesAPartialFolderAloneThatItDidNotMake(file: String) throws {
    try folder.write("mine", to: file)
    #expect(throws: CorpusError.self) { try pack() }
    #expect(folder.exists(file) && !folder.exists("out"))
  }

  @Test(.timeLimit(.minutes(5)))
  func keepsOtherFilesInAFolderThatItMade() throws {
    let work = output + ".partial/.work/d"
    packPart(of: plan, to: output, untilExists: work)
    #expect(folder.exists("out.partial/.work"))
    try folder.write("mine", to: "out.partial/d/thesis.txt")
    #expect(throws: CorpusError.self) { try pack(otherPlan) }
    #expect(folder.exists("out.partial/d/thesis.txt"))
  }

  @Test(.timeLimit(.minutes(5)))
  func replacesACorpusAndNothingElse() throws {
    try pack()
    try folder.write("mine", to: "out.replaced/keep")
    try folder.write("mine", to: "out.replaced-0/keep")
    try pack(otherPlan, replacing: true)
    #expect(folder.exists("out.replaced/keep") && folder.exists("out.replaced-0/keep"))
    #expect(try contents(of: output) == fresh(otherPlan))
    #expect(!folder.exists("out.partial") && !folder.exists("out.lock"))
    for name in ["out/notes.txt", "out/d/notes.txt"] {
      let file = try folder.write("mine", to: name)
      #expect(throws: CorpusError.self) { try pack(replacing: true) }
      #expect(folder.exists(name))
      try FileManager.default.removeItem(atPath: file)
    }
    try pack(replacing: true)
    #expect(try contents(of: output) == fresh(plan))
  }

  @Test(.timeLimit(.minutes(5)), arguments: ["gone", "short", "manifest"], [true, false])
  func packsADamagedCorpusAgain(damage: String, replacing: Bool) throws {
    try pack()
    let shard = output + "/d/train-00000.tokens.zst"
    switch damage {
    case "gone": try FileManager.default.removeItem(atPath: shard)
    case "short":
      try Data(contentsOf: URL(fileURLWithPath: shard)).dropLast().write(
        to: URL(fileURLWithPath: shard))
    default: try folder.write("{", to: "out/corpus.json")
    }
    #expect(try !pack(replacing: replacing).wasPacked)
    #expect(try contents(of: output) == fresh(plan))
    #expect(try pack().wasPacked)
  }

  @Test(.timeLimit(.minutes(5)))
  func packsAgainWhatIsWholeWhereItIsToldTo() throws {
    try pack()
    #expect(try pack().wasPacked)
    #expect(try !pack(replacing: true).wasPacked)
    #expect(try contents(of: output) == fresh(plan))
  }

  @Test(.timeLimit(.minutes(5)), arguments: ["out", "out.partial"])
  func holdsItsLockOverTheRename(place: String) throws {
    try pack()
    if place != "out" { try move("out", to: place) }
    // As a packer leaves it that is killed.
    try folder.write("headrace pack\n", to: "out.lock")
    let lock = open(output + ".lock", O_RDWR)
    #expect(lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0)
    #expect(packingFault { try pack() } == .locked(path: output))
    #expect(folder.exists(place + "/corpus.json"))
    close(lock)
    try pack()
    #expect(folder.exists("out/corpus.json") && !folder.exists("out.lock"))
  }

  /// A packer that is killed while it writes its lock file leaves a part of the text, or nothing.
  @Test(.timeLimit(.minutes(5)), arguments: ["", "headr", "headrace pack\n"])
  func removesTheLockFileOfAKilledPacker(text: String) throws {
    try folder.write(text, to: "out.lock")
    try pack()
    #expect(folder.exists("out/corpus.json") && !folder.exists("out.lock"))
  }

  @Test(.timeLimit(.minutes(5)))
  func leavesALockFileOfSomeoneElseAlone() throws {
    try folder.write("mine", to: "out.lock")
    try pack()
    #expect(folder.exists("out.lock"))
  }

  @Test(.timeLimit(.minutes(5)))
  func finishesARunKilledWhileItsWorkFolderWasRemoved() throws {
    try pack()
    try move("out", to: "out.partial")
    try folder.write("{}", to: "out.partial/.work/d/domain.json")
    let observer = RecordingObserver()
    #expect(try !pack(observer: observer).wasPacked)
    #expect(observer.seen.withLock { $0 }.isEmpty)
    #expect(try contents(of: output) == fresh(plan))
    #expect(!folder.exists("out.partial"))
  }

  @Test(.timeLimit(.minutes(5)))
  func packsOnWhereAWholeFolderLostAShard() throws {
    try pack()
    try move("out", to: "out.partial")
    try FileManager.default.removeItem(atPath: output + ".partial/d/train-00000.tokens.zst")
    try pack()
    #expect(try contents(of: output) == fresh(plan))
  }

  @Test(.timeLimit(.minutes(5)), arguments: [true, false])
  func removesTheOldCorpusOfARunKilledAfterItsExchange(removedSome: Bool) throws {
    _ = try Packer(plan).pack(to: folder.path + "/old")
    try pack(otherPlan)
    try move("old", to: "out.partial")
    try folder.write("", to: "out/.work/fingerprint")
    if removedSome {
      try FileManager.default.removeItem(atPath: output + ".partial/d/train-00000.tokens.zst")
    }
    #expect(try pack(otherPlan).wasPacked)
    #expect(try contents(of: output) == fresh(otherPlan))
    #expect(!folder.exists("out.partial") && !folder.exists("out/.work"))
  }

  @Test(.timeLimit(.minutes(5)))
  func givesTheOldCorpusItsNameBackAfterARunKilledBetweenTwoRenames() throws {
    try pack()
    try move("out", to: "out.replaced-3")
    try folder.write("out.replaced-3", to: "out.partial/.work/replaced")
    #expect(packingFault { try pack(otherPlan) } == .outputExists(path: output))
    #expect(try contents(of: output) == fresh(plan))
    #expect(!folder.exists("out.replaced-3"))
    try pack(otherPlan, replacing: true)
    #expect(try contents(of: output) == fresh(otherPlan))
  }

  @Test(.timeLimit(.minutes(5)), arguments: [true, false])
  func replacesInOneStepOrInTwo(exchanging: Bool) throws {
    _ = try Packer(otherPlan).pack(to: folder.path + "/new")
    try pack()
    try move("new", to: "out.partial")
    // Names that are taken are not used.
    try folder.write("mine", to: "out.replaced-0/keep")
    try PackOutput(path: output).finish(replacing: true, exchanging: exchanging)
    #expect(try contents(of: output) == fresh(otherPlan))
    #expect(!folder.exists("out.partial") && !folder.exists("out/.work"))
    let replaced = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter {
      $0.hasPrefix("out.replaced")
    }
    #expect(replaced == ["out.replaced-0"])
  }

  @Test(.timeLimit(.minutes(5)))
  func leavesTheOutputOutOfItsInput() throws {
    var plan = plan
    plan.domains[0].inputs = [folder.path]
    let partial = output + ".partial/.work/d"
    packPart(of: plan, to: output, untilExists: partial)
    #expect(folder.exists("out.partial/.work/d"))
    try folder.write("mine", to: "out.replaced-4/d/train-00000.tokens.zst")
    let observer = RecordingObserver()
    #expect(try pack(plan, observer: observer).domains[0].documentCount == 8)
    #expect(observer.notices.withLock { $0 } == [.resumed(finishedDomains: [])])
    #expect(try pack(plan).wasPacked)
  }
}
