internal import Corpora
internal import Foundation
internal import Synchronization

/// What packing is told, and what it leaves for the run that goes on.
let packingParsers = [
  FuzzedParser(
    name: "pack-plan",
    words: [
      #""domains":["#, #""inputs":["#, #""include":["#, #""held_out":"#, #""seed":"#, #""level":"#,
      #""shard_tokens":"#, #""token_width":16"#, #""on_bad_document":"skip""#, "1e400", "-0.0",
      "18446744073709551615", "0.1",
    ],
    seeds: { _ in [Array(PackPlan.example.json.utf8)] },
    read: { input, folder in
      let plan = try PackPlan(contentsOf: folder.write(Array(input.rest), to: "plan.json"))
      let copy = folder.write(Array(plan.json.utf8), to: "copy.json")
      expect(try PackPlan(contentsOf: copy) == plan, "a plan comes back")
      _ = try Packer(plan)
    }),
  FuzzedParser(
    name: "pack-state",
    words: [
      #""byteCount" : "#, #""entryCount" : "#, #""fileName" : ""#, #""tokenCount" : "#,
      "9223372036854775807", "-1", "../", #""token_count" : "#, #""checksum" : ""#,
    ],
    seeds: { folder in
      let files = try PackState.interrupted(in: folder)
      return try PackState.names.enumerated().map { number, name in
        // A run's own fingerprint has the times of files in it, a seed must not.
        let isFingerprint = name.hasSuffix("fingerprint")
        let bytes = isFingerprint ? [UInt8](repeating: 48, count: 16) : try files.bytes(of: name)
        return [UInt8(number), 1] + bytes
      }
    },
    read: { input, folder in try PackState.read(input, in: folder) }),
]

/// The files of a run that was stopped, one of which is what the input is.
private struct PackState {
  /// The files of the partial folder, by their paths in it.
  let files: [String: [UInt8]]
  let plan: PackPlan

  static let names = [
    ".work/a/domain.json", ".work/b/scatter.json", ".work/b/train-0000.bucket",
    ".work/fingerprint",
  ]

  private static let prepared = Mutex<PackState?>(nil)

  func bytes(of name: String) throws -> [UInt8] {
    guard let bytes = files[name] else {
      fail("a stopped run has no \(name): \(files.keys.sorted())")
    }
    return bytes
  }

  /// Packs until the second domain is scattered, once for each process.
  static func interrupted(in folder: FuzzFolder) throws -> PackState {
    if let state = prepared.withLock({ $0 }) { return state }
    var domains: [PackDomain] = []
    for name in ["a", "b"] {
      let inputs = FuzzFolder(folder.makeFolder("text-" + name))
      for number in 0..<4 {
        inputs.write(Array("\(name) \(number) and some text".utf8), to: "\(number).txt")
      }
      domains.append(PackDomain(name: name, inputs: [inputs.path]))
    }
    var plan = PackPlan(domains: domains)
    plan.heldOutFraction = 0.3
    plan.maximumDocumentByteCount = 1 << 10
    let output = folder.path + "/corpus"
    let observer = StopObserver()
    do throws(CorpusError) {
      _ = try Packer(plan, resources: resources).pack(
        to: output, observer: observer, shouldStop: { observer.hasScattered })
    } catch {
      guard case .packing(.interrupted) = error else { throw error }
    }
    var files: [String: [UInt8]] = [:]
    let partial = FuzzFolder(output + ".partial")
    for case let name as String in FileManager.default.enumerator(atPath: partial.path) ?? .init() {
      if let bytes = try? partial.bytes(of: name) { files[name] = bytes }
    }
    let state = PackState(files: files, plan: plan)
    prepared.withLock { $0 = state }
    return state
  }

  private static var resources: PackResources { PackResources(memoryByteCount: 32 << 20) }

  /// Goes on with a run of whose files one is the input.
  ///
  /// `repairs`: a bucket's checksums are made right, and its size where it is recorded.
  static func read(_ input: FuzzInput, in folder: FuzzFolder) throws {
    var input = input
    let state = try interrupted(in: folder)
    let name = input.choice(of: names)
    let options = FuzzOptions(rawValue: input.byte())
    var files = state.files
    var bytes = Array(input.rest)
    if options.contains(.repairs), name.hasSuffix(".bucket") {
      repair(&bytes)
      let scatter = String(decoding: try state.bytes(of: names[1]), as: UTF8.self)
      let recorded = #""byteCount" : \#(try state.bytes(of: name).count),"#
      files[names[1]] = Array(
        scatter.replacingOccurrences(of: recorded, with: #""byteCount" : \#(bytes.count),"#).utf8)
    }
    files[name] = bytes
    for old in ["corpus", "corpus.partial"] { folder.remove(old) }
    let partial = FuzzFolder(folder.makeFolder("corpus.partial"))
    for (name, bytes) in files {
      var below = ""
      for part in name.split(separator: "/").dropLast() {
        below += (below.isEmpty ? "" : "/") + part
        _ = partial.makeFolder(below)
      }
      partial.write(bytes, to: name)
    }
    let report = try Packer(state.plan, resources: resources).pack(to: folder.path + "/corpus")
    expect(report.domains.count == state.plan.domains.count, "every domain is reported")
    let corpus = try Corpus(at: folder.path + "/corpus")
    expect(corpus.domainNames == state.plan.domains.map(\.name), "every domain is packed")
  }

  /// Makes the checksums of a bucket's entries right.
  private static func repair(_ bytes: inout [UInt8]) {
    var offset = 0
    while let count = bytes.number(at: offset + 16, UInt32.self),
      let high = bytes.number(at: offset, UInt64.self),
      let low = bytes.number(at: offset + 8, UInt64.self),
      Int(count) <= bytes.count - offset - 24
    {
      let tokens = Array(bytes[(offset + 24)..<(offset + 24 + Int(count))])
      bytes.set(
        UInt32(truncatingIfNeeded: XXHash.hash64(tokens, seed: high ^ low.byteSwapped)),
        at: offset + 20)
      offset += 24 + Int(count)
    }
  }
}

/// Notes that the second domain is scattered.
private final class StopObserver: PackObserver {
  private let isOver = Mutex(false)

  var hasScattered: Bool { isOver.withLock { $0 } }

  func packing(_ progress: PackProgress) {
    if progress.domain == "b", progress.phase == .gathering { isOver.withLock { $0 = true } }
  }

  func packing(notice: PackNotice) {}
}
