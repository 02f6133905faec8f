/// What a trainer measured of the gradients of one step's domains.
///
/// The gradients are those of the parameters that the trainer watches: all, a named subset, or a
/// projection of either. Notation, for K domains and step t:
///
/// - g_i: the mean gradient of the micro-batches of domain i at step t; 0 if it had none.
/// - n_i: how many micro-batches that were.
/// - m_i / z_i: the smoothed gradient of domain i, with 0 ≤ β < 1 and m_i = z_i = 0 at first:
///
///       m_i ← β m_i + (1 − β) n_i g_i,   z_i ← β z_i + (1 − β) n_i
///
/// Every field is nil where the trainer does not measure it. Units: squares of the loss over the
/// parameters' unit.
public struct GradientReport: Sendable, Equatable, Codable {
  /// n `[domain]`, the micro-batches of each domain in the step, ≥ 0.
  public var microBatchCounts: [Int]?

  /// H `[domain, domain]`, row-major: H_ij = ⟨g_i, g_j⟩.
  ///
  /// H_ii is larger than the square of the true gradient's norm by the noise of g_i; the unbiased
  /// self term is (n_i H_ii − s_i) / (n_i − 1).
  public var gram: [Double]?

  /// s `[domain]`: the mean of the squared norms of the gradients of single micro-batches; 0 for a
  /// domain that had none.
  public var squaredNorms: [Double]?

  /// W `[domain]`: ⟨m_i/z_i, Σ_j m_j/z_j⟩ after the step, without the noise in its self term.
  public var alignments: [Double]?

  /// `[domain]`: ⟨g_i, Σ_j m_j/z_j⟩ with the smoothed gradients from before the step, whose noise
  /// is independent of that of g_i; 0 for a domain that had no micro-batch.
  public var laggedAlignments: [Double]?

  /// `[domain]`: the inner product of the mean gradients of two disjoint halves of the domain's
  /// micro-batches, another unbiased self term; nil for a domain that had fewer than two.
  ///
  /// The self term of ``gram`` uses every pair of micro-batches and has less noise.
  public var halfProducts: [Double?]?

  /// Creates a report; what is left out was not measured.
  public init(
    microBatchCounts: [Int]? = nil, gram: [Double]? = nil, squaredNorms: [Double]? = nil,
    alignments: [Double]? = nil, laggedAlignments: [Double]? = nil, halfProducts: [Double?]? = nil
  ) {
    self.microBatchCounts = microBatchCounts
    self.gram = gram
    self.squaredNorms = squaredNorms
    self.alignments = alignments
    self.laggedAlignments = laggedAlignments
    self.halfProducts = halfProducts
  }

  private enum CodingKeys: String, CodingKey {
    case gram, alignments
    case microBatchCounts = "micro_batch_counts"
    case squaredNorms = "squared_norms"
    case laggedAlignments = "lagged_alignments"
    case halfProducts = "half_products"
  }
}
