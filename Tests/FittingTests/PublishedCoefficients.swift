import Fitting

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The printed law of five domains, at 70M parameters and 30,000 steps, to four decimals.
///
/// Source: the outputs that the authors of arXiv:2403.16952 published with their code.
enum FiveDomains {
  static let huberThreshold = 0.05

  /// ln c, ln k and t of each group, in the order of ``EvaluationGroups/names``.
  static let printed: [[Double]] = [
    [0.975, -2.1391, -10.0864, 2.714, 2.7106, 2.6083, 1.5866],
    [1.2624, -2.1656, 1.393, -4.6811, 0.7855, 1.8719, 0.5734],
    [1.1375, -7.1017, 6.7135, 6.2643, -31.8621, 6.6423, 6.2053],
    [0.475, -3.6546, 3.3289, 3.6705, 3.1127, -16.4217, 3.1591],
    [1.2402, -1.951, 1.1897, 0.8697, -0.5184, 1.7122, -3.087],
  ]

  /// The mean Huber losses that were printed beside them.
  static let printedObjectives = [
    0.0005682876217179, 0.00012334295024629682, 0.0005513424403034151, 0.0001428198884241283,
    8.165960753103718e-05,
  ]

  /// The weights of the groups in the validation set.
  static let weights = [
    0.340663580247, 0.152006172839, 0.050154320988, 0.116898148148, 0.340277777778,
  ]

  static let laws = printed.map { values in
    MixingLaw(
      floor: exp(values[0]), factor: exp(values[1]), rates: Array(values[2...]))
  }
}

/// The four laws that synthetic runs were made from, with their weights.
enum SyntheticLaws {
  static let laws = [
    MixingLaw(floor: 2.6, exponents: [-1.1, 0.35, -0.4, -0.2]),
    MixingLaw(floor: 0.85, exponents: [0.45, -3.3, 0.8, 0.6]),
    MixingLaw(floor: 2.75, exponents: [-0.55, 0.2, -2.6, 0.05]),
    MixingLaw(floor: 2.9, exponents: [0.1, 0.6, 0.3, -4.2]),
  ]
  static let weights = [0.4, 0.25, 0.25, 0.1]
}
