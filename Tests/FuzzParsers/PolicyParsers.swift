internal import Corpora
internal import Mixing

/// What policies write and read again.
let policyParsers = [
  FuzzedParser(
    name: "saved-policy", words: ["hrpolicy"] + PolicyFiles.words,
    seeds: { _ in
      try PolicyFiles.savers.indices.map { index in
        [1, UInt8(index)] + (try PolicyFiles.saved(index).bytes())
      }
    },
    read: { input, _ in try PolicyFiles.readSavedPolicy(input) }),
  FuzzedParser(
    name: "policy-checkpoint", words: PolicyFiles.words,
    seeds: { _ in
      try PolicyFiles.recipes.indices.map { index in
        let checkpoint = try PolicyFiles.learned(index).erasedCheckpoint()
        let length = UInt32(checkpoint.fields.count).littleEndian
        return [UInt8(index)] + withUnsafeBytes(of: length) { Array($0) } + checkpoint.fields
          + checkpoint.arrays
      }
    },
    read: { input, _ in try PolicyFiles.readCheckpoint(input) }),
  FuzzedParser(
    name: "gradient-recorder", words: ["HRGRADS"],
    seeds: { _ in
      let recorder = try PolicyFiles.recorder()
      try PolicyFiles.record(recorder)
      return [[1] + recorder.checkpointBytes()]
    },
    read: { input, _ in try PolicyFiles.readRecorder(input) }),
]

/// Policies for two domains, and what becomes of them.
private enum PolicyFiles {
  static let words = [
    #""mixture":"#, #""settings":"#, #""step":"#, "1e308", "-1e308", "1e-308", "5e-324", "null",
    "9223372036854775807", "-1", "0.5",
  ]

  static let context = PolicyContext(
    domainNames: ["code", "prose"], sequenceCounts: [300, 400], stepCount: 100)

  /// The policies whose checkpoints are read.
  static let recipes: [(name: String, options: [String: String])] = [
    ("static", [:]), ("odm", [:]), ("odm", ["form": "exp3"]), ("alignment", [:]),
    ("alignment", ["memory": "gram"]), ("alignment", ["form": "doge"]), ("ac-odm", [:]),
    ("ac-odm", ["state": "gram"]), ("ac-odm", ["preset": "paper", "width": "4"]),
    ("ac-odm", ["preset": "released", "width": "4"]),
    ("odm", ["floor": "0.1", "cap": "0.8", "largest-move": "0.05"]),
    ("schedule", ["stages": "50:code=1,prose=0;code=0.5,prose=0.5"]),
  ]

  /// The policies that take over what others learned.
  static let savers = [6, 8]

  static func policy(_ index: Int) throws(MixingError) -> any MixturePolicy {
    let (name, options) = recipes[index]
    return try PolicyRegistry.builtIn.recipe(named: name, options: options).makePolicy(in: context)
  }

  static func learned(_ index: Int) throws -> any MixturePolicy {
    var policy = try policy(index)
    try drive(&policy, from: 1)
    return policy
  }

  static func saved(_ place: Int) throws -> SavedPolicy {
    guard let saved = try learned(savers[place]).savedPolicy() else { fail("nothing is saved") }
    return saved
  }

  /// Lets a policy observe three steps; its mixtures must be some.
  static func drive(_ policy: inout any MixturePolicy, from first: Int) throws {
    for step in first..<first + 3 {
      try policy.prepare(for: UpcomingStep(step: step, tokenTotal: 64 * step))
      let gradients = GradientReport(
        microBatchCounts: [2, 2], gram: [0.5, 0.1, 0.1, 0.7], squaredNorms: [0.9, 1.1],
        alignments: [0.4, 0.6], laggedAlignments: [0.3, 0.5])
      policy.observe(
        Feedback(
          step: step, losses: [3.5, 2.5], tokenCounts: [32, 32], shares: policy.mixture.weights,
          gradients: gradients, parameterNorms: [1.5], updateNorms: [0.01]))
      let weights = policy.mixture.weights
      expect(
        weights.count == 2 && weights.allSatisfy { $0 >= 0 && $0 <= 1 },
        "a mixture of two domains")
    }
  }

  /// Reads a saved policy, whose checksum is made right if the input wants that, and lets a policy
  /// start from it.
  static func readSavedPolicy(_ input: FuzzInput) throws {
    var input = input
    let options = FuzzOptions(rawValue: input.byte())
    let index = input.choice(of: savers)
    var bytes = Array(input.rest)
    if options.contains(.repairs), bytes.count >= 8 {
      bytes.set(XXHash.hash64(Array(bytes.dropLast(8))), at: bytes.count - 8)
    }
    let saved = try SavedPolicy(bytes: bytes, path: "fuzz.policy")
    expect(
      try SavedPolicy(bytes: try saved.bytes(), path: "fuzz.policy") == saved,
      "a saved policy comes back")
    var policy: any MixturePolicy
    switch index {
    case savers[0]: policy = try ActorCriticPolicy(in: context, startingFrom: saved)
    default:
      var configuration = PublishedConfiguration()
      configuration.form = .paper
      configuration.width = 4
      policy = try PublishedActorCriticPolicy(configuration, in: context, startingFrom: saved)
    }
    try drive(&policy, from: 1)
  }

  /// Restores a policy, which must go on with mixtures; its checkpoint then restores another one.
  static func readCheckpoint(_ input: FuzzInput) throws {
    var input = input
    let index = Int(input.byte()) % recipes.count
    let fields = input.take(Int(min(input.number(UInt32.self), 1 << 20)))
    let checkpoint = PolicyCheckpoint(
      policy: recipes[index].name, fields: fields, arrays: Array(input.rest))
    var policy = try policy(index)
    try policy.restore(from: checkpoint)
    let stored = try policy.erasedCheckpoint()
    var again = try Self.policy(index)
    try again.restore(from: stored)
    expect(try again.erasedCheckpoint() == stored, "a checkpoint comes back")
    expect(again.mixture == policy.mixture, "with its mixture")
    try drive(&policy, from: 4)
  }

  static func recorder() throws(GradientError) -> GradientRecorder {
    try GradientRecorder(
      domainCount: 2, parameterCount: 3, needs: FeedbackNeeds(gram: true, smoothing: 0.9))
  }

  /// Records a step of two micro-batches for each domain.
  static func record(_ recorder: GradientRecorder) throws {
    recorder.begin()
    for domain in [0, 1, 0, 1] {
      try [Float(domain), 0.5, -1].withUnsafeBufferPointer { gradient in
        try recorder.add(domain: domain, gradient: [gradient])
      }
    }
    _ = try recorder.finish()
  }

  /// Restores smoothed gradients, whose checksum is made right if the input wants that.
  static func readRecorder(_ input: FuzzInput) throws {
    var input = input
    let options = FuzzOptions(rawValue: input.byte())
    var bytes = Array(input.rest)
    if options.contains(.repairs), bytes.count >= 8 {
      bytes.set(XXHash.hash64(Array(bytes.dropLast(8))), at: bytes.count - 8)
    }
    let recorder = try recorder()
    try recorder.restore(bytes)
    expect(recorder.checkpointBytes() == bytes, "a checkpoint comes back")
    try record(recorder)
  }
}
