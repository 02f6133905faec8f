internal import Corpora
internal import Foundation
internal import Loading
internal import Mixing

/// What a run writes and reads again.
let loadingParsers = [
  FuzzedParser(
    name: "checkpoint-file", words: ["HRCHECKP", "loader"],
    seeds: { folder in
      let path = folder.path + "/checkpoint"
      try CheckpointFile.write([("loader", [1, 2, 3]), ("trainer", [])], to: path)
      return [
        [0] + (try folder.bytes(of: "checkpoint")), [1] + (try folder.bytes(of: "checkpoint")),
      ]
    },
    read: { input, folder in try RunFiles.readCheckpointFile(input, in: folder) }),
  FuzzedParser(
    name: "loader-checkpoint", words: RunFiles.words,
    seeds: { _ in RunFiles.checkpoints.map { Array($0.utf8) } },
    read: { input, _ in try RunFiles.readLoaderCheckpoint(Array(input.rest)) }),
  FuzzedParser(
    name: "ledger", words: RunFiles.words + [#"{"headrace_ledger":1,"#, "\n", #"{"step":"#],
    seeds: { _ in [Array(RunFiles.ledger.utf8)] },
    read: { input, folder in try RunFiles.readLedger(Array(input.rest), in: folder) }),
  FuzzedParser(
    name: "quarantine", words: RunFiles.words + [#""format":"headrace-quarantine""#],
    seeds: { _ in
      [Array(#"{"format":"headrace-quarantine","version":1,"entries":\#(RunFiles.entries)}"#.utf8)]
    },
    read: { input, folder in
      let list = try Quarantine(at: folder.write(Array(input.rest), to: "list.json"))
      try list.write(to: folder.path + "/copy.json")
      expect(try Quarantine(at: folder.path + "/copy.json") == list, "a list comes back")
    }),
  FuzzedParser(
    name: "schedule",
    words: [
      #"{"format":"headrace-schedule","version":1,"#, #""unit":"tokens""#, #""stages":["#,
      #"{"until":"#, #""ramp":"#, #""weights":{"code":0.5,"prose":0.5}}"#,
    ],
    seeds: { _ in
      [
        Array(
          """
          {"format":"headrace-schedule","version":1,"unit":"steps","stages":[\
          {"until":3,"weights":{"code":0.5,"prose":0.5}},\
          {"until":9,"ramp":4,"weights":{"code":1,"prose":0}},{"weights":{"code":0,"prose":1}}]}
          """.utf8)
      ]
    },
    read: { input, folder in
      let schedule = try MixtureSchedule(json: Array(input.rest))
      expect(try MixtureSchedule(json: try schedule.json()) == schedule, "a schedule comes back")
      let context = PolicyContext(domainNames: ["code", "prose"], sequenceCounts: [3, 4])
      var policy = try SchedulePolicy(schedule, in: context)
      for step in [1, 2, 5, 9, 10, 1 << 60] {
        try policy.prepare(for: UpcomingStep(step: step, tokenTotal: step))
      }
    }),
  FuzzedParser(
    name: "mixture-file",
    words: [#"{"weights":{"#, #""code":0.5"#, #""prose":"#, "1e-320", "1e308"],
    seeds: { _ in [Array(#"{"weights": {"code": 0.25, "prose": 0.75}, "from": [1]}"#.utf8)] },
    read: { input, folder in
      let path = folder.write(Array(input.rest), to: "mixture.json")
      let context = PolicyContext(domainNames: ["code", "prose"], sequenceCounts: [3, 4])
      let mixture = try MixtureFile.mixture(atPath: path, in: context)
      expect(mixture.integerShares.allSatisfy { $0 >= 0 }, "no share is negative")
      expect(mixture.integerShares.reduce(0, +) == Mixture.one, "shares sum to one")
      expect(
        try Mixture(integerShares: mixture.integerShares) == mixture, "shares make the mixture")
    }),
]

private enum RunFiles {
  static let words = [
    #""step":"#, #""positions":["#, #""credits":["#, #""row_counts":["#, #""domains":["#,
    #""fingerprint":""#, #""sequence_count":"#, #""position_limit":"#, #""text_marks":{"#,
    #""quarantine":["#, #""frame":"#, #""shard_index":"#, "9223372036854775807",
    "-9223372036854775808", "281474976710656", "null", "1e3", "0.5",
  ]

  static let entries = """
    [{"byte_offset":5,"domain":"a","fingerprint":"00","frame":2,"reason":"r","shard":"a/0",\
    "shard_index":0,"split":"train"},\
    {"domain":"b","fingerprint":"01","reason":"r","shard":"b/0","shard_index":1,"split":"train"}]
    """

  private static let identity = """
    {"domains":[{"fingerprint":"00","name":"a","position_limit":50,"sequence_count":9},\
    {"fingerprint":"01","name":"b","sequence_count":7}],"draw":"credits","order_version":1,\
    "seed":3,"sequence_length":16,"split":"train","units_per_pool":4}
    """

  private static let policy = """
    {"fields":"{\\"mixture\\":[140737488355328,140737488355328]}","policy":"static"}
    """

  private static func checkpoint(
    identity: String, positions: String, more: String = ""
  ) -> String {
    """
    {"credits":[5,-5],"departed":[],"draw_count":6,"identity":\(identity),\
    "last_observed_step":1,"ledger_byte_count":900,"ledger_header_byte_offset":0,"observed":[],\
    "policy":\(policy),"positions":\(positions),"quarantine":\(entries),\
    "refused_feedback_count":0,"row_counts":[2,4],"row_total":6,"step":3\(more)}
    """
  }

  static var checkpoints: [String] {
    let mark = """
      {"carry":7,"cursor":{"frame":1,"frame_byte_offset":90,"frame_text_offset":200,"line":4,\
      "text_offset":250,"token":3},"epoch":0,"pool":1,"position":2,"shard_rank":0}
      """
    let text = identity.replacingOccurrences(
      of: #""sequence_count":7"#, with: #""sequence_count":0"#)
    return [
      checkpoint(identity: identity, positions: "[5,4]"),
      checkpoint(
        identity: text, positions: "[2,4]", more: #","text_marks":{"b":\#(mark)}"#),
    ]
  }

  static var ledger: String {
    let half = Mixture.one / 2
    let header = #"{"headrace_ledger":1,"identity":\#(identity)}"#
    let lines = (1...3).map { step in
      """
      {"step":\(step),"asked":[\(half),\(half)],"credits":[4,-4],"draw_count":\(4 * (step - 1)),\
      "drawn":[2,2],"effective":[\(half),\(half)],"feedback":[],"last_observed_step":0,\
      "positions":[\(2 * (step - 1)),\(2 * (step - 1))],"reason":"static",\
      "refused_feedback_count":0,"rows":4}
      """
    }
    return ([header] + lines).map { $0 + "\n" }.joined()
  }

  /// Reads a file of sections, whose checksum is made right if the input wants that; what is
  /// accepted is written as the same file.
  static func readCheckpointFile(_ input: FuzzInput, in folder: FuzzFolder) throws {
    var input = input
    var bytes = Array(input.rest.dropFirst())
    if FuzzOptions(rawValue: input.byte()).contains(.repairs), bytes.count >= 8 {
      bytes.set(XXHash.hash64(Array(bytes.dropLast(8))), at: bytes.count - 8)
    }
    let sections = try CheckpointFile.read(folder.write(bytes, to: "checkpoint"))
    expect(sections.values.reduce(0) { $0 + $1.count } <= bytes.count, "sections lie in the file")
    try CheckpointFile.write(
      sections.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, to: folder.path + "/copy")
    expect(try CheckpointFile.read(folder.path + "/copy") == sections, "sections come back")
    expect(
      try folder.bytes(of: "copy").count == bytes.count, "no section is passed over or changed")
  }

  /// Reads a checkpoint; what is accepted encodes to bytes that give it again, always the same.
  static func readLoaderCheckpoint(_ bytes: [UInt8]) throws {
    let checkpoint = try LoaderCheckpoint(bytes: bytes)
    let encoded = checkpoint.encoded()
    let again = try LoaderCheckpoint(bytes: encoded)
    expect(again == checkpoint, "a checkpoint comes back")
    expect(again.encoded() == encoded, "equal checkpoints have equal bytes")
    expect(
      checkpoint.positions.allSatisfy { (0...(1 << 60)).contains($0) }, "positions in their limits")
    expect(checkpoint.credits.reduce(Int128(0)) { $0 + Int128($1) } == 0, "credits sum to 0")
    let names = checkpoint.identity.domains.map(\.name)
    let context = PolicyContext(domainNames: names, sequenceCounts: names.map { _ in 1 })
    for recipe in [PolicyRecipe.static(.uniform), .manual(.uniform)] {
      var policy = try recipe.makePolicy(in: context)
      try? policy.restore(from: checkpoint.policy)
      expect(policy.mixture.integerShares.reduce(0, +) == Mixture.one, "a mixture stays one")
    }
  }

  /// Reads a ledger whole, and step for step.
  ///
  /// What is accepted encodes to lines that decode to the same; a step that is found is the one
  /// that was looked for.
  static func readLedger(_ bytes: [UInt8], in folder: FuzzFolder) throws {
    let path = folder.write(bytes, to: "ledger.jsonl")
    let ledger = try? Ledger(at: path)
    for step in [1, 2, 3, 5, 1000, .max] {
      guard let found = try? StepReplay(ofStep: step, inLedgerAt: path) else { continue }
      expect(found.line.step == step, "the step that is found is the one that was looked for")
      guard let ledger else { continue }
      let line = ledger.lines.first { $0.step == step }
      expect(line == found.line, "a search finds what reading finds")
      let section = ledger.sections.last { $0.lines.contains { $0.step == step } }
      expect(section?.header == found.header, "with the header that holds for it")
    }
    if let trajectory = try? LedgerTrajectory(at: path) {
      for step in trajectory.steps.prefix(8) {
        guard let found = try? trajectory.recorded(atStep: step), let ledger else { continue }
        let line = ledger.lines.first { $0.step == step }
        expect(line?.asked == found.mixture.integerShares, "a trajectory finds what reading finds")
      }
    } else {
      expect(ledger?.lines.isEmpty ?? true, "a trajectory reads every ledger with steps")
    }
    guard let ledger else { _ = try Ledger(at: path); return }
    let first = ledger.lines.first?.step ?? 1
    expect(ledger.lines.map(\.step).elementsEqual(first..<(first + ledger.lines.count)), "in order")
    expect(ledger.sections.reduce(0) { $0 + $1.lines.count } == ledger.lines.count, "every line")
    for line in ledger.lines {
      let encoded = try JSONEncoder().encode(line)
      expect(try JSONDecoder().decode(LedgerLine.self, from: encoded) == line, "a line comes back")
    }
  }
}
