/// The sizes and the kind of a ``LinearWorld``.
package struct LinearWorldConfiguration: Sendable, Equatable, Codable {
  /// What the domains are like to each other.
  package var scenario = LinearScenario.symmetric
  /// K, the number of domains, at least 2.
  package var domainCount = 5
  /// The steps of a run.
  package var stepCount = 400
  /// B, the samples of a step: one of every domain, the others drawn by the mixture.
  package var sampleCount = 40
  /// The parameters that all domains share.
  package var sharedCount = 8
  /// The parameters that each domain has to itself.
  package var privateCount = 4
  /// η of plain gradient descent.
  package var learningRate = 0.03
  /// Whether the true parameters have the same norm in every block; else they are Gaussian.
  package var isBalanced = false
  /// Whether the roles of the scenario are dealt to the domains by the seed.
  package var isPermuted = false
  /// Multiplies the labels' noise of every domain.
  package var labelNoiseFactor = 1.0
  /// The width of a random projection of the gradients that are measured; nil for none.
  package var projectionWidth: Int?

  /// Creates the first world of the scenario `sym`, with five domains and 400 steps.
  package init() {}

  /// P, the number of parameters.
  package var parameterCount: Int { sharedCount + domainCount * privateCount }

  /// The inputs of a sample that are not 0.
  package var inputCount: Int { sharedCount + privateCount }
}
