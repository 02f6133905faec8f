// Covers: Bucket.swift, ScatterResult.swift
import Corpora
import Foundation
import HeadraceTesting
import Synchronization
import Testing

@Suite struct PackerResumeTests {
  /// Two domains of several buckets and shards.
  private func makePlan(_ folder: ScratchFolder) throws -> PackPlan {
    var generator = TestGenerator(seed: 3)
    for name in ["a", "b"] {
      for index in 0..<6 {
        let text = (0..<2000).map { _ in "\(generator.next()) " }.joined()
        try folder.write(text, to: "\(name)/\(index).txt")
      }
    }
    var plan = PackPlan(
      domains: ["a", "b"].map { PackDomain(name: $0, inputs: [folder.path + "/" + $0]) })
    plan.name = "test"
    plan.heldOutFraction = 0.1
    plan.shardTokenCount = 100_000
    plan.maximumDocumentByteCount = 1 << 20
    return plan
  }

  /// Packs, but stops when `shouldStop` has been asked `askLimit` times.
  ///
  /// - Returns: whether it came to the end.
  private func pack(
    _ plan: PackPlan, to output: String, stoppingAfter askLimit: Int,
    observer: (any PackObserver)? = nil
  ) throws -> Bool {
    let asked = Atomic(0)
    do {
      _ = try Packer(plan).pack(to: output, observer: observer) {
        asked.add(1, ordering: .relaxed).newValue > askLimit
      }
      return true
    } catch CorpusError.packing(.interrupted) {
      return false
    }
  }

  @Test(.timeLimit(.minutes(5)))
  func goesOnFromEveryPlaceWhereItWasStopped() throws {
    let folder = try ScratchFolder()
    let plan = try makePlan(folder)
    _ = try Packer(plan).pack(to: folder.path + "/whole")
    let whole = try contents(of: folder.path + "/whole")
    var askLimit = 0
    while true {
      let output = folder.path + "/out-\(askLimit)"
      if try pack(plan, to: output, stoppingAfter: askLimit) { break }
      #expect(!folder.exists("out-\(askLimit)"))
      _ = try Packer(plan).pack(to: output)
      #expect(try contents(of: output) == whole, "stopped after \(askLimit)")
      askLimit += 1
    }
    #expect(askLimit > 20)
  }

  @Test(.timeLimit(.minutes(5)))
  func comesToTheEndAlthoughItIsStoppedAgainAndAgain() throws {
    let folder = try ScratchFolder()
    let plan = try makePlan(folder)
    _ = try Packer(plan).pack(to: folder.path + "/whole")
    let observer = RecordingObserver()
    var runCount = 0
    while try !pack(
      plan, to: folder.path + "/out", stoppingAfter: 9, observer: observer), runCount < 50
    {
      runCount += 1
    }
    #expect(runCount > 1 && runCount < 50)
    #expect(try contents(of: folder.path + "/out") == contents(of: folder.path + "/whole"))
    #expect(observer.notices.withLock { $0 }.contains(.resumed(finishedDomains: ["a"])))
  }

  @Test(.timeLimit(.minutes(5)))
  func makesADomainAgainWhoseShardsAreGone() throws {
    let folder = try ScratchFolder()
    let plan = try makePlan(folder)
    let partial = folder.path + "/out.partial"
    packPart(of: plan, to: folder.path + "/out", untilExists: partial + "/.work/a/domain.json")
    try FileManager.default.removeItem(atPath: partial + "/a/train-00000.tokens.zst")
    _ = try Packer(plan).pack(to: folder.path + "/out")
    _ = try Packer(plan).pack(to: folder.path + "/whole")
    #expect(try contents(of: folder.path + "/out") == contents(of: folder.path + "/whole"))
  }

  @Test(.timeLimit(.minutes(5)))
  func anotherPlanOrAnotherInputStartsAnew() throws {
    let folder = try ScratchFolder()
    var plan = try makePlan(folder)
    for change in 0..<2 {
      #expect(try !pack(plan, to: folder.path + "/out", stoppingAfter: 9))
      if change == 0 { plan.seed = 9 } else { try folder.write("new", to: "a/new.txt") }
      let observer = RecordingObserver()
      #expect(try !pack(plan, to: folder.path + "/out", stoppingAfter: 9, observer: observer))
      #expect(
        observer.notices.withLock { $0 } == [.startedAnew(path: folder.path + "/out.partial")])
    }
    _ = try Packer(plan).pack(to: folder.path + "/out")
    _ = try Packer(plan).pack(to: folder.path + "/fresh")
    #expect(try contents(of: folder.path + "/out") == contents(of: folder.path + "/fresh"))
  }

  @Test(.timeLimit(.minutes(5)))
  func finishesARunThatLacksOnlyItsName() throws {
    let folder = try ScratchFolder()
    let plan = try makePlan(folder)
    _ = try Packer(plan).pack(to: folder.path + "/out")
    let whole = try contents(of: folder.path + "/out")
    try FileManager.default.moveItem(
      atPath: folder.path + "/out", toPath: folder.path + "/out.partial")
    let observer = RecordingObserver()
    _ = try Packer(plan).pack(to: folder.path + "/out", observer: observer)
    #expect(try contents(of: folder.path + "/out") == whole)
    #expect(observer.seen.withLock { $0 }.isEmpty)
    #expect(!folder.exists("out.partial"))
  }

  @Test(.timeLimit(.minutes(5)))
  func keepsWhatStandsAtTheOutputUnlessToldToReplaceIt() throws {
    let folder = try ScratchFolder()
    var plan = try makePlan(folder)
    let output = folder.path + "/out"
    #expect(try !Packer(plan).pack(to: output).wasPacked)
    let before = try contents(of: output)
    #expect(try Packer(plan).pack(to: output).wasPacked)
    plan.seed = 5
    #expect(
      packingFault { _ = try Packer(plan).pack(to: output) } == .outputExists(path: output))
    #expect(try contents(of: output) == before)
    _ = try Packer(plan).pack(to: output, replacing: true)
    #expect(try contents(of: output) != before)
    #expect(!folder.exists("out.replaced") && !folder.exists("out.partial"))
    try folder.write("mine", to: "other/file")
    let other = folder.path + "/other"
    #expect(
      packingFault { _ = try Packer(plan).pack(to: other, replacing: true) }
        == .outputNotCorpus(path: other))
  }

  @Test(.timeLimit(.minutes(5)))
  func twoPackersDoNotShareAFolder() throws {
    let folder = try ScratchFolder()
    let plan = try makePlan(folder)
    let output = folder.path + "/out"
    let inner = Locked<PackingFault?>(nil)
    _ = try Packer(plan).pack(to: output) {
      inner.withLock { fault in
        if fault == nil && FileManager.default.fileExists(atPath: output + ".lock") {
          fault = packingFault { _ = try Packer(plan).pack(to: output) }
        }
      }
      return false
    }
    #expect(inner.withLock { $0 } == .locked(path: output))
    #expect(folder.exists("out/corpus.json"))
  }

  /// The path and the errno of a write that fails in `body`.
  private func failedWrite(_ body: () throws -> Void) -> (path: String, code: Int32)? {
    do {
      try body()
    } catch let error as CorpusError {
      if case .cannotWrite(let path, _, let code) = error { return (path, code) }
    } catch {}
    return nil
  }

  @Test(.timeLimit(.minutes(5)))
  func aFullDiskIsNamedAndLeavesNoCorpus() throws {
    guard FileManager.default.fileExists(atPath: "/dev/full") else { return }
    let folder = try ScratchFolder()
    let plan = try makePlan(folder)
    let output = folder.path + "/out"
    for full in [".work/a/train-0000.bucket", "a/train-00000.tokens.zst.tmp", "corpus.json.tmp"] {
      // What is written there goes to a device without room.
      #expect(try !pack(plan, to: output, stoppingAfter: 3))
      let path = output + ".partial/" + full
      let parent = URL(fileURLWithPath: path).deletingLastPathComponent().path
      try FileManager.default.createDirectory(
        atPath: parent, withIntermediateDirectories: true)
      try? FileManager.default.removeItem(atPath: path)
      try FileManager.default.createSymbolicLink(
        atPath: path, withDestinationPath: "/dev/full")
      let failed = failedWrite { _ = try Packer(plan).pack(to: output) }
      #expect(
        failed?.path == path && failed?.code == ENOSPC, "\(full): \(String(describing: failed))")
      #expect(!folder.exists("out"))
      try? FileManager.default.removeItem(atPath: path)
    }
    _ = try Packer(plan).pack(to: output)
    _ = try Packer(plan).pack(to: folder.path + "/fresh")
    #expect(try contents(of: output) == contents(of: folder.path + "/fresh"))
  }

  @Test(.timeLimit(.minutes(5)))
  func aDamagedBucketIsNamed() throws {
    let folder = try ScratchFolder()
    let plan = try makePlan(folder)
    let output = folder.path + "/out"
    let scattered = output + ".partial/.work/a/scatter.json"
    packPart(of: plan, to: output, untilExists: scattered)
    let bucket = output + ".partial/.work/a/train-0000.bucket"
    let whole = try Data(contentsOf: URL(fileURLWithPath: bucket))
    for place in [0, 8, 17, 20, 30, whole.count - 1] {
      var damaged = whole
      damaged[place] ^= 4
      try damaged.write(to: URL(fileURLWithPath: bucket))
      let fault = packingFault { _ = try Packer(plan).pack(to: output) }
      guard case .bucketDamaged(bucket, _) = fault else {
        Issue.record("byte \(place): \(String(describing: fault))")
        continue
      }
    }
    try whole.dropLast().write(to: URL(fileURLWithPath: bucket))
    #expect(packingFault { _ = try Packer(plan).pack(to: output) } != nil)
    #expect(!folder.exists("out"))
  }

  /// What a run left must be what a run writes, whoever changed it.
  @Test(.timeLimit(.minutes(5)))
  func hostileStateIsNamed() throws {
    let folder = try ScratchFolder()
    let plan = try makePlan(folder)
    let output = folder.path + "/out"
    let work = output + ".partial/.work/"
    packPart(of: plan, to: output, untilExists: work + "b/scatter.json")
    for (name, key, values) in [
      ("b/scatter.json", "entryCount", ["9223372036854775807", "-1", "0"]),
      ("b/scatter.json", "byteCount", ["9223372036854775807", "-1"]),
      ("b/scatter.json", "tokenCount", ["9223372036854775807", "-5"]),
      ("b/scatter.json", "fileName", ["\"../a/x\"", "\"/etc/passwd\""]),
      ("a/domain.json", "token_count", ["9223372036854775807", "-1"]),
      ("a/domain.json", "byte_count", ["-1"]), ("a/domain.json", "path", ["\"../../x\""]),
    ] {
      let file = URL(fileURLWithPath: work + name)
      let whole = try String(contentsOf: file, encoding: .utf8)
      for value in values {
        let line = try #require(whole.split(separator: "\n").first { $0.contains("\"\(key)\" :") })
        let end = line.hasSuffix(",") ? "," : ""
        let changed = "\"\(key)\" : \(value)\(end)"
        try whole.replacingOccurrences(of: line, with: changed)
          .write(to: file, atomically: false, encoding: .utf8)
        let fault = packingFault { _ = try Packer(plan).pack(to: output) }
        guard case .bucketDamaged(file.path, _) = fault else {
          Issue.record("\(name), \(key) = \(value): \(String(describing: fault))")
          continue
        }
      }
      try whole.write(to: file, atomically: false, encoding: .utf8)
    }
    _ = try Packer(plan).pack(to: output)
    #expect(folder.exists("out"))
  }

  /// The hash of an entry holds, but it is no document.
  @Test(.timeLimit(.minutes(5)), arguments: [0, 1, 3])
  func anEntryOfNoWholeTokensIsNamed(byteCount: Int) throws {
    let folder = try ScratchFolder()
    let plan = try makePlan(folder)
    let output = folder.path + "/out"
    let work = output + ".partial/.work/a/"
    packPart(of: plan, to: output, untilExists: work + "scatter.json")
    let tokens = [UInt8](repeating: 0, count: byteCount)
    let bucket = URL(fileURLWithPath: work + "train-0000.bucket")
    var bytes = try Data(contentsOf: bucket)
    let old = bytes.count
    bytes += Data(repeating: 0, count: 16)
    withUnsafeBytes(of: UInt32(byteCount)) { bytes += $0 }
    withUnsafeBytes(of: UInt32(truncatingIfNeeded: XXHash.hash64(tokens))) { bytes += $0 }
    try (bytes + tokens).write(to: bucket)
    let file = URL(fileURLWithPath: work + "scatter.json")
    let text = try String(contentsOf: file, encoding: .utf8)
    try text.replacingOccurrences(
      of: "\"byteCount\" : \(old),", with: "\"byteCount\" : \(bytes.count + byteCount),"
    ).write(to: file, atomically: false, encoding: .utf8)
    let fault = packingFault { _ = try Packer(plan).pack(to: output) }
    guard case .bucketDamaged(bucket.path, old) = fault else {
      Issue.record("\(String(describing: fault))")
      return
    }
  }

  @Test(.timeLimit(.minutes(5)))
  func aFileSizeLimitIsAnErrorAndTheNextRunGoesOn() throws {
    let tool = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      .deletingLastPathComponent().appendingPathComponent("headrace").path
    guard FileManager.default.isExecutableFile(atPath: tool) else {
      print("skipped: the tool was not built beside the tests")
      return
    }
    let folder = try ScratchFolder()
    _ = try makePlan(folder)
    func run(_ limit: String) throws -> (status: Int32, errors: String) {
      let process = Process()
      let pipe = Pipe()
      process.executableURL = URL(fileURLWithPath: "/bin/bash")
      process.arguments = [
        "-c",
        "ulimit -f \(limit); exec \(tool) pack -o \(folder.path)/out --domain a=\(folder.path)/a",
      ]
      process.standardError = pipe
      process.standardOutput = FileHandle.nullDevice
      try process.run()
      let errors = pipe.fileHandleForReading.readDataToEndOfFile()
      process.waitUntilExit()
      return (process.terminationStatus, String(decoding: errors, as: UTF8.self))
    }
    let limited = try run("64")
    #expect(limited.status == 1)
    #expect(limited.errors.contains("/out.partial/"))
    #expect(limited.errors.contains("errno 27"))
    #expect(!folder.exists("out"))
    #expect(try run("unlimited").status == 0)
    #expect(folder.exists("out/corpus.json"))
  }
}
