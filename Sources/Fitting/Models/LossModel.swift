/// A fitted function that predicts one loss from the shares of the training domains.
///
/// Laws and regressions conform to it, so that searching a mixture, comparing models and printing
/// predictions are written once.
public protocol LossModel: Sendable {
  /// M, the number of training domains that the shares are of.
  var domainCount: Int { get }

  /// Returns the predicted loss, as a rule in nats per token.
  ///
  /// - Parameter shares: r `[domain]`, a point of the simplex: each ≥ 0, summing to 1.
  /// - Returns: the prediction; infinite where the model has a pole, never NaN.
  /// - Precondition: `shares` has ``domainCount`` values.
  func loss(of shares: [Double]) -> Double
}

/// A loss model that is smooth and, as a rule, convex on the simplex.
///
/// A weighted sum of such models with weights ≥ 0 has no local optimum beside the global one, and a
/// certificate of how close to it a mixture is (``ConvexOptimum``).
public protocol ConvexLossModel: LossModel {
  /// Whether the model is convex with the coefficients that it has.
  ///
  /// Some forms are for most coefficients only; an optimum is then looked for all the same, but has
  /// no certificate. True unless a model says otherwise.
  var isConvex: Bool { get }

  /// Returns the derivatives of ``LossModel/loss(of:)`` by the shares.
  ///
  /// - Parameter shares: r `[domain]`, a point of the simplex.
  /// - Returns: ∂L/∂r `[domain]`, each share moved by itself, as if the sum were free.
  func gradient(at shares: [Double]) -> [Double]

  /// Returns the second derivatives of ``LossModel/loss(of:)`` by the shares.
  ///
  /// - Parameter shares: r `[domain]`, a point of the simplex.
  /// - Returns: ∂²L/∂r∂r `[domain, domain]`, row-major and symmetric.
  func curvature(at shares: [Double]) -> [Double]
}

extension ConvexLossModel {
  /// True: most forms are convex whatever their coefficients.
  public var isConvex: Bool { true }
}
