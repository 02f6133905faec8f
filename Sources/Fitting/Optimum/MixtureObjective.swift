#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A loss that counts with a weight in what a mixture is chosen by.
public struct WeightedLoss: Sendable {
  /// What predicts the loss.
  public var model: any ConvexLossModel
  /// w ≥ 0.
  public var weight: Double

  /// Creates a weighted loss.
  ///
  /// - Parameters:
  ///   - model: what predicts the loss.
  ///   - weight: w ≥ 0.
  public init(_ model: any ConvexLossModel, weight: Double = 1) {
    self.model = model
    self.weight = weight
  }
}

/// F(r) = Σ w_i L_i(r) + λ·KL(r ‖ prior), with its derivatives.
struct MixtureObjective {
  let losses: [WeightedLoss]
  let prior: [Double]?
  /// λ.
  let priorStrength: Double

  /// Below this share the logarithm of the divergence is no longer followed to its pole.
  static let leastShare = 1e-15

  func loss(at shares: [Double]) -> Double {
    losses.reduce(0) { $1.weight == 0 ? $0 : $0 + $1.weight * $1.model.loss(of: shares) }
  }

  func value(at shares: [Double]) -> Double {
    guard let prior, priorStrength > 0 else { return loss(at: shares) }
    var divergence = 0.0
    for domain in shares.indices where shares[domain] > 0 {
      divergence += shares[domain] * log(shares[domain] / prior[domain])
    }
    return loss(at: shares) + priorStrength * divergence
  }

  func gradient(at shares: [Double]) -> [Double] {
    var result = [Double](repeating: 0, count: shares.count)
    for term in losses where term.weight != 0 {
      let gradient = term.model.gradient(at: shares)
      for domain in result.indices { result[domain] += term.weight * gradient[domain] }
    }
    guard let prior, priorStrength > 0 else { return result }
    for domain in result.indices where prior[domain] > 0 {
      let share = max(shares[domain], Self.leastShare)
      result[domain] += priorStrength * (log(share / prior[domain]) + 1)
    }
    return result
  }

  func curvature(at shares: [Double]) -> [Double] {
    let count = shares.count
    var result = [Double](repeating: 0, count: count * count)
    for term in losses where term.weight != 0 {
      let curvature = term.model.curvature(at: shares)
      for place in result.indices { result[place] += term.weight * curvature[place] }
    }
    guard priorStrength > 0, prior != nil else { return result }
    for domain in 0..<count {
      result[domain * count + domain] += priorStrength / max(shares[domain], Self.leastShare)
    }
    return result
  }
}
