// Covers: GradientRecorder.swift, GradientSums.swift, GradientSmoothing.swift, GradientError.swift

import Mixing
import Testing

/// What is computed, against closed forms, chance, and a plain computation.
@Suite(.timeLimit(.minutes(5)))
struct GradientRecorderTests {
  // l_i(θ) = |θ − c_i|² / 2 in two dimensions at θ = 0, so that g_i = −c_i.
  private let gradients: [(domain: Int, values: [Float])] = [
    (0, [-1, 0]), (1, [-0.6, -0.8]), (2, [1, 0]),
  ]
  /// By hand from the centers (1, 0), (0.6, 0.8), (−1, 0).
  private let gram = [1, 0.6, -1, 0.6, 1, -0.6, -1, -0.6, 1]

  private func recorder(
    _ needs: FeedbackNeeds, domains: Int = 3, parameters: Int = 2, halves: Bool = false,
    threads: Int = 1
  ) throws -> GradientRecorder {
    try GradientRecorder(
      domainCount: domains, parameterCount: parameters, needs: needs, measuresHalves: halves,
      threadCount: threads)
  }

  private func expectClose(
    _ found: [Double]?, _ expected: [Double], within tolerance: Double = 1e-6,
    _ location: SourceLocation = #_sourceLocation
  ) throws {
    let found = try #require(found, sourceLocation: location)
    #expect(found.count == expected.count, sourceLocation: location)
    for (index, pair) in zip(found, expected).enumerated() {
      #expect(
        abs(pair.0 - pair.1) <= tolerance * max(1, abs(pair.1)),
        "at \(index): \(pair.0), not \(pair.1)", sourceLocation: location)
    }
  }

  @Test func `three quadratic losses have the Gram matrix that is worked out by hand`() throws {
    let report = try recorder(FeedbackNeeds(gram: true)).step(gradients)
    try expectClose(report.gram, gram)
    try expectClose(report.squaredNorms, [1, 1, 1])
    #expect(report.microBatchCounts == [1, 1, 1])
    #expect(report.alignments == nil && report.laggedAlignments == nil)
    // Σ W = |Σ g|² with the self terms, and that less Σ |g_i|² without: 1 and −2.
    let found = try #require(report.gram)
    #expect(abs(found.reduce(0, +) - 1) < 1e-6)
    #expect(abs(found.reduce(0, +) - 3 + 2) < 1e-6)
  }

  @Test func `without memory the alignments are the row sums`() throws {
    let recorder = try recorder(FeedbackNeeds(smoothing: 0, lagged: true))
    let first = try recorder.step(gradients)
    try expectClose(first.alignments, [0.6, 1, -0.6])
    #expect(first.laggedAlignments == [0, 0, 0] && first.gram == nil)
    // The second step's gradients meet the first one's sum, (−0.6, −0.8).
    let second = try recorder.step([(0, [2, 0]), (2, [0, 1])])
    try expectClose(second.laggedAlignments, [-1.2, 0, -0.8])
    // Domain 1 was not seen and keeps (−0.6, −0.8): the sum is (1.4, 0.2).
    try expectClose(second.alignments, [2.8, -1, 0.2])
  }

  @Test func `a factor turns parts of a mean into gradients`() throws {
    let scaled = gradients.map { ($0.domain, $0.values.map { $0 / 8 }) }
    let report = try recorder(FeedbackNeeds(gram: true, smoothing: 0.5, lagged: true)).step(
      scaled, factor: 8)
    try expectClose(report.gram, gram)
    try expectClose(report.squaredNorms, [1, 1, 1])
    try expectClose(report.alignments, [0.6, 1, -0.6])
  }

  /// Gradients g_i of 12 numbers with normal noise, 4, 2 and 1 micro-batches a step.
  @Test func `products with a self term in them are biased by noise, the others are not`() throws {
    let (width, counts, deviation) = (12, [4, 2, 1], 0.7)
    var normals = Normals("bias")
    let truth = counts.map { _ in normals.next(width) }
    let recorder = try recorder(
      FeedbackNeeds(gram: true), parameters: width, halves: true)
    var diagonal = [Estimate](repeating: Estimate(), count: 3)
    var (allPairs, halves, off) = (diagonal, diagonal, diagonal)
    for _ in 0..<4000 {
      recorder.begin()
      for (domain, count) in counts.enumerated() {
        for _ in 0..<count {
          let noise = normals.next(width, deviation: deviation)
          try recorder.add(domain: domain, zip(truth[domain], noise).map { Float($0 + $1) })
        }
      }
      let report = try recorder.finish()
      let (gram, squares) = (try #require(report.gram), try #require(report.squaredNorms))
      let products = try #require(report.halfProducts)
      for domain in 0..<3 {
        let (n, square) = (Double(counts[domain]), gram[4 * domain])
        diagonal[domain].take(square)
        if n > 1 { allPairs[domain].take((n * square - squares[domain]) / (n - 1)) }
        if let product = products[domain] { halves[domain].take(product) }
        off[domain].take(gram[domain * 3 + (domain + 1) % 3])
      }
      #expect(products[2] == nil)
    }
    for domain in 0..<3 {
      let square = dot(truth[domain], truth[domain])
      // E|ĝ|² = |g|² + σ² P / n.
      let bias = deviation * deviation * Double(width) / Double(counts[domain])
      #expect(diagonal[domain].agrees(with: square + bias))
      #expect(!diagonal[domain].agrees(with: square))
      #expect(off[domain].agrees(with: dot(truth[domain], truth[(domain + 1) % 3])))
      guard counts[domain] > 1 else { continue }
      #expect(allPairs[domain].agrees(with: square))
      #expect(halves[domain].agrees(with: square))
      #expect(allPairs[domain].standardError <= halves[domain].standardError * 1.001)
    }
  }

  @Test func `smoothed and lagged alignments are free of noise`() throws {
    let (width, counts, deviation) = (12, [4, 2, 2], 0.7)
    var normals = Normals("smoothed")
    let truth = counts.map { _ in normals.next(width) }
    let total = sum(truth, count: width)
    var lagged = [Estimate](repeating: Estimate(), count: 3)
    var smoothed = lagged
    // Runs of their own, since the steps of one are not independent.
    for _ in 0..<800 {
      let recorder = try recorder(FeedbackNeeds(smoothing: 0.6, lagged: true), parameters: width)
      for step in 0..<6 {
        recorder.begin()
        for (domain, count) in counts.enumerated() {
          for _ in 0..<count {
            let noise = normals.next(width, deviation: deviation)
            try recorder.add(domain: domain, zip(truth[domain], noise).map { Float($0 + $1) })
          }
        }
        let report = try recorder.finish()
        guard step == 5 else { continue }
        for domain in 0..<3 {
          lagged[domain].take(try #require(report.laggedAlignments)[domain])
          smoothed[domain].take(try #require(report.alignments)[domain])
        }
      }
    }
    for domain in 0..<3 {
      #expect(lagged[domain].agrees(with: dot(truth[domain], total)))
      #expect(smoothed[domain].agrees(with: dot(truth[domain], total)))
      #expect(smoothed[domain].standardError < lagged[domain].standardError)
    }
  }

  @Test(arguments: [0.3, 0.9])
  func `smoothing is what the formulas say`(beta: Double) throws {
    let (width, domains) = (40, 4)
    let recorder = try recorder(
      FeedbackNeeds(gram: true, smoothing: beta, lagged: true), domains: domains, parameters: width)
    var plain = PlainSmoothing(beta: beta, domainCount: domains, width: width)
    var normals = Normals("formulas")
    for step in 0..<30 {
      // Domain 3 comes late, and any of them may be left out.
      let batches = (0..<domains).map { domain in
        (0..<(domain == 3 && step < 9 ? 0 : normals.count(upTo: 3))).map { _ in
          normals.next(width, deviation: 1 + Double(domain))
        }
      }
      let expected = plain.take(batches)
      recorder.begin(factor: 4)
      // Micro-batches of a domain need not follow each other.
      for round in 0..<3 {
        for domain in 0..<domains where round < batches[domain].count {
          try recorder.add(domain: domain, batches[domain][round].map { Float($0 / 4) })
        }
      }
      let report = try recorder.finish()
      // Products of some hundred sums of single-precision numbers.
      try expectClose(report.laggedAlignments, expected.lagged, within: 1e-4)
      try expectClose(report.alignments, expected.alignments, within: 1e-4)
      #expect(report.microBatchCounts == batches.map(\.count))
    }
  }

  @Test func `a domain that is not seen for long keeps its direction`() throws {
    let recorder = try recorder(FeedbackNeeds(smoothing: 0.5, lagged: true))
    _ = try recorder.step([(0, [3, 0]), (1, [1, 1]), (1, [1, 3])])
    var report = GradientReport()
    // 2^-4000 is far below what a double holds.
    for _ in 0..<4000 { report = try recorder.step([(2, [0, 1])]) }
    try expectClose(report.alignments, [12, 1 * 4 + 2 * 3 - 1, 3])
    report = try recorder.step([(0, [0, 5])])
    try expectClose(report.alignments, [5 * 8, 1 + 2 * 8 - 1, 8])
  }

  @Test func `four ranks add up to one`() throws {
    let needs = FeedbackNeeds(gram: true, smoothing: 0.9, lagged: true)
    var normals = Normals("ranks")
    let make = {
      try GradientRecorder(
        domainCount: 3, parameterCount: 50, needs: needs, measuresHalves: true)
    }
    let (one, ranks) = (try make(), try (0..<4).map { _ in try make() })
    for _ in 0..<5 {
      one.begin(factor: 2)
      for rank in ranks { rank.begin(factor: 2) }
      // Eight micro-batches of domain 0, three of domain 1, none of domain 2.
      for index in 0..<11 {
        let gradient = normals.next(50).map { Float($0) }
        try one.add(domain: index < 8 ? 0 : 1, gradient)
        try ranks[index % 4].add(domain: index < 8 ? 0 : 1, gradient)
      }
      for rank in ranks[1...] { try ranks[0].add(rank.sums()) }
      let (whole, merged) = (try one.finish(), try ranks[0].finish())
      // Sums of up to eight floats in another order.
      try expectClose(merged.gram, try #require(whole.gram), within: 1e-5)
      try expectClose(merged.squaredNorms, try #require(whole.squaredNorms), within: 1e-5)
      try expectClose(merged.alignments, try #require(whole.alignments), within: 1e-5)
      try expectClose(merged.laggedAlignments, try #require(whole.laggedAlignments), within: 1e-5)
      #expect(merged.microBatchCounts == [8, 3, 0])
      // The halves are others, but there are two of them on either side.
      #expect(merged.halfProducts?.map { $0 == nil } == [false, false, true])
    }
  }

  @Test func `every number of threads gives the same bits`() throws {
    var results: [[GradientReport]] = []
    for threads in [1, 2, 3] {
      let recorder = try recorder(
        FeedbackNeeds(gram: true, smoothing: 0.9, lagged: true), parameters: 70_001,
        threads: threads)
      var normals = Normals("threads")
      results.append(
        try (0..<2).map { _ in
          try recorder.step((0..<5).map { ($0 % 3, normals.next(70_001).map { Float($0) }) })
        })
    }
    #expect(results[1] == results[0] && results[2] == results[0])
  }

  @Test func `gradients that are not finite are passed on but not remembered`() throws {
    let recorder = try recorder(FeedbackNeeds(smoothing: 0.5, lagged: true))
    _ = try recorder.step(gradients)
    let before = recorder.checkpointBytes()
    for bad in [Float.nan, .infinity] {
      let report = try recorder.step([(0, [1, 1]), (1, [bad, 0])])
      let feedback = Feedback(
        step: 1, losses: [1, 1, 1], tokenCounts: [1, 1, 1], gradients: report)
      #expect(throws: MixingError.self) { try feedback.validate(domainCount: 3) }
      #expect(recorder.checkpointBytes() == before)
    }
    let report = try recorder.step(gradients)
    #expect(report.alignments?.allSatisfy(\.isFinite) == true)
  }

  @Test func `huge and tiny gradients neither overflow nor vanish`() throws {
    for size in [Float(1e18), 1e-18] {
      let report = try recorder(FeedbackNeeds(gram: true, smoothing: 0.9, lagged: true)).step(
        gradients.map { ($0.domain, $0.values.map { $0 * size }) })
      try expectClose(report.gram?.map { $0 / Double(size) / Double(size) }, gram)
      try expectClose(
        report.alignments?.map { $0 / Double(size) / Double(size) }, [0.6, 1, -0.6])
    }
  }

  @Test func `what is not needed takes no memory`() throws {
    let gramOnly = try recorder(FeedbackNeeds(gram: true), domains: 9, parameters: 1000)
    #expect(gramOnly.byteCount == 0)
    let row = [Float](repeating: 1, count: 1000)
    for _ in 0..<3 { _ = try gramOnly.step([(2, row), (2, row), (7, row)]) }
    // A row for each of the two domains of a step.
    #expect(gramOnly.byteCount == 2 * 4000)
    #expect(gramOnly.checkpointBytes().isEmpty)
    let smoothing = try recorder(
      FeedbackNeeds(smoothing: 0.9, lagged: true), domains: 9, parameters: 1000)
    for _ in 0..<3 { _ = try smoothing.step([(2, row), (2, row), (7, row)]) }
    // Beside that what is remembered of them, and the sum.
    #expect(smoothing.byteCount == 5 * 4000)
    let projected = try GradientRecorder(
      domainCount: 9, parameterCount: 1000, needs: FeedbackNeeds(gram: true),
      projection: GradientProjection(width: 10, seed: 1))
    _ = try projected.step([(2, row), (2, row), (7, row)])
    #expect(projected.byteCount == 3 * 40)
  }

  @Test func `an accumulator's gains are the gradients`() throws {
    var normals = Normals("accumulator")
    // The first domain's gradients are the larger ones, so that the others' are small gains.
    let batches = (0..<12).map { index in
      (index / 4, normals.next(300, deviation: index < 4 ? 50 : 1).map { Float($0) })
    }
    let needs = FeedbackNeeds(gram: true)
    let expected = try recorder(needs, parameters: 300).step(batches)
    /// The error of the Gram matrix where the accumulator is rounded by `round`.
    func error(_ round: (Float) -> Float) throws -> Double {
      let recorder = try recorder(needs, parameters: 300)
      var accumulator = [Float](repeating: 0, count: 300)
      recorder.begin()
      for (domain, gradient) in batches {
        for (place, value) in gradient.enumerated() {
          accumulator[place] = round(accumulator[place] + value)
        }
        try accumulator.withUnsafeBufferPointer { whole in
          // In pieces, as a model has several tensors.
          let pieces = [whole[..<7], whole[7...]].map { UnsafeBufferPointer(rebasing: $0) }
          try recorder.add(domain: domain, accumulator: pieces)
        }
      }
      let found = try #require(try recorder.finish().gram)
      let gram = try #require(expected.gram)
      var largest = 0.0
      for place in 0..<9 {
        let size = (gram[place / 3 * 4] * gram[place % 3 * 4]).squareRoot()
        largest = max(largest, abs(found[place] - gram[place]) / size)
      }
      return largest
    }
    #expect(try error { $0 } < 1e-5)
    // With the eleven bits of half precision it is another gradient: not to be used so.
    let half = try error { Float(bitPattern: ($0.bitPattern &+ 0x1000) & ~0x1FFF) }
    #expect(half > 1e-3)
  }

  @Test func `misuse is named and changes nothing`() throws {
    let recorder = try recorder(FeedbackNeeds(gram: true))
    #expect(throws: GradientError.noStep) { try recorder.finish() }
    #expect(throws: GradientError.noStep) { try recorder.add(domain: 0, [1, 2]) }
    #expect(throws: GradientError.noStep) { try recorder.sums() }
    recorder.begin()
    for domain in [-1, 3] {
      #expect(throws: GradientError.domainOutOfRange(domain: domain, domainCount: 3)) {
        try recorder.add(domain: domain, [1, 2])
      }
    }
    for count in [0, 1, 3] {
      #expect(throws: GradientError.sizeWrong(found: count, expected: 2)) {
        try recorder.add(domain: 0, [Float](repeating: 1, count: count))
      }
    }
    let other = try self.recorder(FeedbackNeeds(gram: true), parameters: 3)
    other.begin()
    try other.add(domain: 1, [1, 2, 3])
    #expect(throws: GradientError.self) { try recorder.add(other.sums()) }
    var sums = try other.sums()
    sums.halves.removeLast()
    #expect(throws: GradientError.self) { try other.add(sums) }
    #expect(try recorder.finish().gram == [Double](repeating: 0, count: 9))
    #expect(throws: GradientError.self) {
      try GradientRecorder(domainCount: 0, parameterCount: 1, needs: .nothing)
    }
    #expect(throws: GradientError.self) {
      try GradientRecorder(domainCount: 1, parameterCount: 0, needs: .nothing)
    }
    #expect(throws: GradientError.self) {
      try GradientRecorder(domainCount: 1, parameterCount: 1, needs: .nothing, threadCount: 0)
    }
    // An unfinished step leaves nothing to the next one.
    recorder.begin()
    try recorder.add(domain: 0, [5, 5])
    let report = try recorder.step(gradients)
    try expectClose(report.gram, gram)
  }
}
