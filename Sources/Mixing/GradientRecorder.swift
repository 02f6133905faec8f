package import Kernels

/// Turns the gradients of single micro-batches into the ``GradientReport`` of a step.
///
/// For any trainer that accumulates gradients over micro-batches of one domain each, as grouped
/// rows give them. It costs no backward pass:
///
///     let recorder = try GradientRecorder(
///       domainCount: 5, parameterCount: 262_144, needs: loader.feedbackNeeds)
///     recorder.begin()
///     for part in microBatches {
///       backward(part.rows)                                    // adds to the gradients
///       try recorder.add(domain: part.domain, accumulator: [gradients])
///     }
///     let report = try recorder.finish()
///
/// What is computed, in the letters of ``GradientReport``, with r_i the sum of the n_i micro-batch
/// gradients of domain i, f the factor of ``begin(factor:)`` and g_i = f r_i / n_i:
///
///     H_ij = ⟨g_i, g_j⟩,   s_i = f² (the mean of the squared norms)
///     lagged_i = ⟨g_i, Σ_j M_j⟩                                   with M from before the step
///     z_i ← β z_i + (1 − β) n_i,   c_i ← β² c_i + (1 − β)² n_i
///     M_i ← M_i + ((1 − β) n_i / z_i) (g_i − M_i)                 M_i = m_i / z_i
///     v_i = E(n_i (s_i − |g_i|²)) / E(max(n_i − 1, 0))            E: the average with decay β
///     W_i = ⟨M_i, Σ_j M_j⟩ − v_i c_i / z_i²
///
/// v_i is an estimate of the trace of the covariance of one micro-batch's gradient, since
/// n_i (s_i − |g_i|²) has n_i − 1 times that as its mean; c_i / z_i² is the part that M_i has.
/// While a domain never had two micro-batches in one step, v_i is 0 and its W_i keeps the noise.
///
/// Invariants: inner products are sums of doubles in one order for every number of threads;
/// gradients that are not finite never reach M, z, c and E; what is not needed takes neither time
/// nor memory. Memory: a row of p floats for each domain of the step that has the most, a row for
/// each domain that is remembered where β is, and what ``add(domain:accumulator:)`` says.
///
/// **Several ranks.** Each rank records the gradients of its own rows before any reduction over
/// ranks. Then the ``sums()`` of all are added to rank 0's by ``add(_:)``, and rank 0 finishes.
///
/// A recorder belongs to one thread. Its memory between steps is ``checkpointBytes()``.
///
/// Source: the smoothing by vectors and its noise term follow from linearity; the alignment of a
/// gradient with the others' sum: Fan et al. 2023, *DoGE* (arXiv:2310.15393), equation 4; the
/// crediting of an accumulator's change to the micro-batch's domain: the released code of AC-ODM
/// (arXiv:2505.23878).
///
/// Departures from the source: DoGE smooths nothing and keeps the noise in the self term; AC-ODM
/// leaves the self term out and credits changes of a reduced, half-precision accumulator.
public final class GradientRecorder {
  /// K, the number of domains.
  public let domainCount: Int
  /// P, the number of watched parameters.
  public let parameterCount: Int
  /// What is computed.
  public let needs: FeedbackNeeds
  /// How gradients become shorter; nil for gradients as they are.
  public let projection: GradientProjection?
  /// Whether ``GradientReport/halfProducts`` are computed too.
  public let measuresHalves: Bool

  let context: KernelContext
  /// p, the numbers of a row: the projection's width, or P.
  let rowWidth: Int
  /// What the sums of this step are multiplied by; nil outside a step.
  private var factor: Double?
  /// The sums of the step.
  private var step: StepSums
  var smoothing: GradientSmoothing?
  /// What the accumulator held when it was last looked at, and what it gained since where that is
  /// projected; [P], made when they are needed.
  private var accumulated, gained: FloatArray?
  /// Where a gradient is projected to; [p].
  private var projected: FloatArray?

  /// Creates a recorder that remembers nothing yet.
  ///
  /// - Parameters:
  ///   - domainCount: K, in 1...2^20.
  ///   - parameterCount: P, in 1...2^40.
  ///   - needs: what is to be computed.
  ///   - projection: how gradients become shorter; nil for gradients as they are.
  ///   - measuresHalves: whether to compute ``GradientReport/halfProducts``, for which every domain
  ///     takes a second row.
  ///   - threadCount: the threads that split the work, in 1...1024; they change no result.
  /// - Throws: ``GradientError/settingOutOfRange(name:value:allowed:)``.
  /// - Precondition: the smoothing, where there is one, is in [0, 1).
  public convenience init(
    domainCount: Int, parameterCount: Int, needs: FeedbackNeeds,
    projection: GradientProjection? = nil, measuresHalves: Bool = false, threadCount: Int = 1
  ) throws(GradientError) {
    guard (1...1024).contains(threadCount) else {
      throw .settingOutOfRange(name: "the thread count", value: threadCount, allowed: 1...1024)
    }
    try self.init(
      domainCount: domainCount, parameterCount: parameterCount, needs: needs,
      projection: projection, measuresHalves: measuresHalves,
      context: KernelContext(threadCount: threadCount))
  }

  /// Creates a recorder that runs with the threads of a trainer.
  package init(
    domainCount: Int, parameterCount: Int, needs: FeedbackNeeds,
    projection: GradientProjection? = nil, measuresHalves: Bool = false, context: KernelContext
  ) throws(GradientError) {
    guard (1...(1 << 20)).contains(domainCount) else {
      throw .settingOutOfRange(
        name: "the number of domains", value: domainCount, allowed: 1...(1 << 20))
    }
    guard (1...(1 << 40)).contains(parameterCount) else {
      throw .settingOutOfRange(
        name: "the number of watched parameters", value: parameterCount, allowed: 1...(1 << 40))
    }
    precondition(
      needs.smoothing.map { (0..<1).contains($0) } ?? true,
      "gradients are smoothed with a factor in [0, 1)")
    self.domainCount = domainCount
    self.parameterCount = parameterCount
    self.needs = needs
    self.projection = projection
    self.measuresHalves = measuresHalves
    self.context = context
    rowWidth = projection?.width ?? parameterCount
    step = StepSums(domainCount: domainCount, rowWidth: rowWidth, halfCount: measuresHalves ? 2 : 1)
    smoothing = needs.smoothing.map {
      GradientSmoothing(beta: $0, domainCount: domainCount, rowWidth: rowWidth)
    }
  }

  /// Begins a step; what an unfinished one left is forgotten.
  ///
  /// - Parameter factor: what an added gradient is to be multiplied by to be the mean gradient of
  ///   its micro-batch, positive. A trainer whose accumulator becomes the mean over B rows gives B
  ///   / m for micro-batches of m rows.
  /// - Precondition: the factor is positive and finite.
  public func begin(factor: Double = 1) {
    precondition(factor > 0 && factor.isFinite, "gradients cannot be multiplied by \(factor)")
    self.factor = factor
    step.clear()
    if let accumulated {
      context.fill(Matrix(accumulated, rowCount: 1, columnCount: accumulated.count), with: 0)
    }
  }

  /// Adds the gradient of one micro-batch.
  ///
  /// - Parameters:
  ///   - domain: the domain of all its rows.
  ///   - gradient: the watched parameters' gradient, P numbers in any number of pieces, always in
  ///     one order.
  /// - Throws: ``GradientError/domainOutOfRange(domain:domainCount:)``,
  ///   ``GradientError/sizeWrong(found:expected:)`` or ``GradientError/noStep``, before any change.
  public func add(
    domain: Int, gradient: [UnsafeBufferPointer<Float>]
  ) throws(GradientError) {
    try check(domain: domain, pieces: gradient)
    let (row, begins) = step.row(of: domain)
    var square = 0.0
    if let projection {
      square = credit(gradient, by: projection, to: row, begins: begins)
    } else {
      var place = 0
      for piece in gradient {
        square += context.credit(piece, to: row, at: place, begins: begins)
        place += piece.count
      }
    }
    step.count(domain: domain, square: square)
  }

  /// Adds the projection of a gradient to a row; returns the sum of its squares.
  private func credit(
    _ gradient: [UnsafeBufferPointer<Float>], by projection: GradientProjection,
    to row: FloatArray, begins: Bool
  ) -> Double {
    let short = projected ?? FloatArray(count: rowWidth)
    projected = short
    short.fill(0)
    var place = 0
    for piece in gradient {
      projection.add(piece, first: place, to: short, context: context)
      place += piece.count
    }
    return context.credit(UnsafeBufferPointer(short.buffer), to: row, at: 0, begins: begins)
  }

  /// Adds what an accumulator has gained since the last call, or since ``begin(factor:)``, when it
  /// was 0.
  ///
  /// Takes a row of P floats more, or two with a projection. The difference of two sums has an
  /// error of some 1e-7 of the larger sum, in single precision; an accumulator of half precision is
  /// not to be used so.
  ///
  /// - Parameters:
  ///   - domain: the domain of all rows of the micro-batch.
  ///   - accumulator: the watched parameters' sum of gradients so far, P numbers in any number of
  ///     pieces, always in one order.
  /// - Throws: as ``add(domain:gradient:)``.
  public func add(
    domain: Int, accumulator: [UnsafeBufferPointer<Float>]
  ) throws(GradientError) {
    try check(domain: domain, pieces: accumulator)
    let before = accumulated ?? FloatArray(count: parameterCount)
    accumulated = before
    let (row, begins) = step.row(of: domain)
    var square = 0.0
    var place = 0
    if let projection {
      let difference = gained ?? FloatArray(count: parameterCount)
      gained = difference
      for piece in accumulator {
        context.gain(piece, since: before, at: place, into: difference)
        place += piece.count
      }
      let pieces = [UnsafeBufferPointer(difference.buffer)]
      square = credit(pieces, by: projection, to: row, begins: begins)
    } else {
      for piece in accumulator {
        square += context.creditGain(piece, since: before, to: row, at: place, begins: begins)
        place += piece.count
      }
    }
    step.count(domain: domain, square: square)
  }

  /// Ends the step.
  ///
  /// - Returns: what ``needs`` names of it. A number that is not finite stands in the report as it
  ///   is, so that whoever takes it in can refuse it by name; the smoothed gradients are those from
  ///   before the step then.
  /// - Throws: ``GradientError/noStep``.
  public func finish() throws(GradientError) -> GradientReport {
    guard let factor else { throw .noStep }
    self.factor = nil
    var report = GradientReport()
    if measuresHalves { report.halfProducts = step.halfProducts(factor: factor, context: context) }
    step.foldHalves(context: context)
    let means = StepMeans(step, factor: factor, gram: needs.gram, context: context)
    if needs.gram {
      report.microBatchCounts = step.counts
      report.gram = means.gram
      report.squaredNorms = means.squaredNorms
    }
    if smoothing != nil {
      if needs.lagged {
        report.laggedAlignments = smoothing?.alignments(
          ofRows: step.rows, scales: step.scales(factor: factor), context: context)
      }
      if means.isFinite { smoothing?.take(step, means, factor: factor, context: context) }
      report.alignments = smoothing?.alignments(context: context)
    }
    return report
  }

  // MARK: Several ranks

  /// The sums of the step that is open, for the recorder of another rank.
  ///
  /// - Returns: a copy of all rows.
  /// - Throws: ``GradientError/noStep``.
  public func sums() throws(GradientError) -> GradientSums {
    guard factor != nil else { throw .noStep }
    return step.sums
  }

  /// Adds the sums of another rank to the step that is open.
  ///
  /// - Parameter sums: what ``sums()`` of a recorder of the same shape returned in the same step.
  /// - Throws: ``GradientError/sumsOfAnotherShape(name:found:expected:)`` or
  ///   ``GradientError/noStep``, before any change.
  public func add(_ sums: GradientSums) throws(GradientError) {
    guard factor != nil else { throw .noStep }
    try step.add(sums, context: context)
  }

  /// Forgets the sums of a step that is open.
  func forgetStep() {
    factor = nil
    step.clear()
  }

  private func check(
    domain: Int, pieces: [UnsafeBufferPointer<Float>]
  ) throws(GradientError) {
    guard factor != nil else { throw .noStep }
    guard (0..<domainCount).contains(domain) else {
      throw .domainOutOfRange(domain: domain, domainCount: domainCount)
    }
    let count = pieces.reduce(0) { $0 + $1.count }
    guard count == parameterCount else { throw .sizeWrong(found: count, expected: parameterCount) }
  }

  /// The bytes of all rows that are held now.
  package var byteCount: Int {
    let floats =
      step.floatCount + (smoothing?.floatCount ?? 0) + (accumulated?.count ?? 0)
      + (gained?.count ?? 0) + (projected?.count ?? 0)
    return floats * MemoryLayout<Float>.size
  }
}
