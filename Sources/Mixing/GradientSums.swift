internal import Kernels

/// What one rank's micro-batches of a step add up to, before anything nonlinear is done to it.
///
/// The sums of several ranks are added; the inner products of the result are those of one rank that
/// had seen all rows.
public struct GradientSums: Sendable, Equatable, Codable {
  /// Of one half of a domain's micro-batches.
  public struct Half: Sendable, Equatable, Codable {
    /// How many micro-batches it has, ≥ 0.
    public var microBatchCount: Int
    /// The sum of their gradients, `[p]`; empty where there is none.
    public var row: [Float]

    /// Creates the sums of one half.
    package init(microBatchCount: Int, row: [Float]) {
      self.microBatchCount = microBatchCount
      self.row = row
    }
  }

  /// `[domain]`: one half, or two where halves are measured.
  public var halves: [[Half]]
  /// `[domain]`: the sum of the squared norms of the micro-batches' gradients.
  public var squares: [Double]

  /// Creates the sums of a step.
  package init(halves: [[Half]], squares: [Double]) {
    self.halves = halves
    self.squares = squares
  }
}

/// The sums of an open step, as rows that are used again in the next one.
struct StepSums {
  let rowWidth: Int
  /// Halves of a domain: 1, or 2.
  let halfCount: Int
  /// n_i `[domain]`.
  private(set) var counts: [Int]
  /// `[domain]`: the sum of the squared norms.
  private(set) var squares: [Double]
  /// `[domain · halfCount + half]`: micro-batches, and the row that they are added up in.
  private var halfCounts: [Int]
  private var places: [Int?]
  /// The rows, of which the first ``usedCount`` belong to this step.
  private var memory: [FloatArray] = []
  private var usedCount = 0

  init(domainCount: Int, rowWidth: Int, halfCount: Int) {
    self.rowWidth = rowWidth
    self.halfCount = halfCount
    counts = [Int](repeating: 0, count: domainCount)
    squares = [Double](repeating: 0, count: domainCount)
    halfCounts = [Int](repeating: 0, count: domainCount * halfCount)
    places = [Int?](repeating: nil, count: domainCount * halfCount)
  }

  var floatCount: Int { memory.count * rowWidth }

  mutating func clear() {
    for index in counts.indices { (counts[index], squares[index]) = (0, 0) }
    for index in places.indices { (halfCounts[index], places[index]) = (0, nil) }
    usedCount = 0
  }

  /// The row of the half that has fewer micro-batches of `domain`, the first half on ties, and
  /// whether it has none yet: what stands in the row is to be replaced then.
  mutating func row(of domain: Int) -> (row: FloatArray, begins: Bool) {
    row(at: lesserHalf(of: domain))
  }

  /// Counts the micro-batch that was added to ``row(of:)``.
  mutating func count(domain: Int, square: Double) {
    halfCounts[lesserHalf(of: domain)] += 1
    counts[domain] += 1
    squares[domain] += square
  }

  private func lesserHalf(of domain: Int) -> Int {
    let first = domain * halfCount
    return halfCount == 2 && halfCounts[first + 1] < halfCounts[first] ? first + 1 : first
  }

  private mutating func row(at half: Int) -> (row: FloatArray, begins: Bool) {
    if let place = places[half] { return (memory[place], false) }
    if usedCount == memory.count { memory.append(FloatArray(count: rowWidth)) }
    places[half] = usedCount
    usedCount += 1
    return (memory[usedCount - 1], true)
  }

  /// The row of each domain, nil where it had no micro-batch; halves are folded.
  var rows: [FloatArray?] {
    counts.indices.map { places[$0 * halfCount].map { memory[$0] } }
  }

  /// `[domain]`: f / n_i, what a row is multiplied by to be g_i; 0 where there is none.
  func scales(factor: Double) -> [Double] { counts.map { $0 == 0 ? 0 : factor / Double($0) } }

  /// The inner products of the means of the two halves `[domain]`; nil where one of them is empty.
  func halfProducts(factor: Double, context: KernelContext) -> [Double?] {
    counts.indices.map { domain in
      let first = domain * 2
      guard let one = places[first], let other = places[first + 1] else { return nil }
      let product = context.innerProducts(memory[one], [memory[other]])[0]
      return factor * factor * product / Double(halfCounts[first]) / Double(halfCounts[first + 1])
    }
  }

  /// Adds the second halves to the first.
  mutating func foldHalves(context: KernelContext) {
    guard halfCount == 2 else { return }
    for domain in counts.indices {
      guard let one = places[2 * domain], let other = places[2 * domain + 1] else { continue }
      _ = context.credit(UnsafeBufferPointer(memory[other].buffer), to: memory[one], at: 0)
    }
  }

  // MARK: Several ranks

  var sums: GradientSums {
    let halves = counts.indices.map { domain in
      (0..<halfCount).map { half in
        let index = domain * halfCount + half
        return GradientSums.Half(
          microBatchCount: halfCounts[index], row: places[index].map { memory[$0].values } ?? [])
      }
    }
    return GradientSums(halves: halves, squares: squares)
  }

  mutating func add(_ other: GradientSums, context: KernelContext) throws(GradientError) {
    func require(_ name: String, _ found: Int, _ expected: Int) throws(GradientError) {
      guard found == expected else {
        throw .sumsOfAnotherShape(name: name, found: found, expected: expected)
      }
    }
    try require("domains", other.halves.count, counts.count)
    try require("domains", other.squares.count, counts.count)
    for domain in other.halves {
      try require("halves", domain.count, halfCount)
      for half in domain {
        guard half.microBatchCount >= 0 else {
          throw .sumsOfAnotherShape(
            name: "micro-batches", found: half.microBatchCount, expected: 0)
        }
        try require("numbers", half.row.count, half.microBatchCount == 0 ? 0 : rowWidth)
      }
    }
    for (domain, halves) in other.halves.enumerated() {
      // The larger of theirs goes to the smaller of ours, so that both halves grow alike.
      for half in halves.sorted(by: { $0.microBatchCount > $1.microBatchCount })
      where half.microBatchCount > 0 {
        let index = lesserHalf(of: domain)
        let (row, begins) = row(at: index)
        _ = half.row.withUnsafeBufferPointer {
          context.credit($0, to: row, at: 0, begins: begins)
        }
        halfCounts[index] += half.microBatchCount
        counts[domain] += half.microBatchCount
      }
      squares[domain] += other.squares[domain]
    }
  }
}

/// The inner products of a step, in the unit of its mean gradients.
struct StepMeans {
  /// H `[domain, domain]`; its diagonal alone unless all of it was asked for.
  private(set) var gram: [Double]
  /// |g_i|² `[domain]`.
  private(set) var norms: [Double]
  /// s `[domain]`.
  let squaredNorms: [Double]
  /// Whether every number is finite.
  let isFinite: Bool

  init(_ step: StepSums, factor: Double, gram asksGram: Bool, context: KernelContext) {
    let domainCount = step.counts.count
    let rows = step.rows
    let scales = step.scales(factor: factor)
    let seen = rows.indices.filter { rows[$0] != nil }
    let present = seen.compactMap { rows[$0] }
    norms = [Double](repeating: 0, count: domainCount)
    gram = []
    if asksGram {
      gram = [Double](repeating: 0, count: domainCount * domainCount)
      let products = context.gram(of: present)
      for (i, one) in seen.enumerated() {
        for (j, other) in seen.enumerated() {
          gram[one * domainCount + other] =
            products[i * seen.count + j] * (scales[one] * scales[other])
        }
        norms[one] = gram[one * domainCount + one]
      }
    } else {
      for (one, row) in zip(seen, present) {
        norms[one] = context.innerProducts(row, [row])[0] * (scales[one] * scales[one])
      }
    }
    squaredNorms = step.squares.indices.map { domain in
      step.counts[domain] == 0
        ? 0 : factor * factor * step.squares[domain] / Double(step.counts[domain])
    }
    isFinite = (norms + squaredNorms + gram).allSatisfy(\.isFinite)
  }
}
