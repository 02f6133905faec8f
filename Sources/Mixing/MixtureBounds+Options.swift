extension MixtureBounds {
  /// The options that every policy takes, and what each means.
  static let optionMeanings = [
    "floor": "the least weight of every domain (default 0)",
    "cap": "the largest weight of every domain (default 1)",
    "largest-move": "the largest total variation from one mixture to the next (default: no limit)",
    "prior-kl": "the largest divergence from the prior, in nats (default: no limit)",
    "prior": "with prior-kl: natural (default), uniform, an exponent, domain=weight,…, or a "
      + "mixture.json",
  ]

  /// The options that mean these bounds; the inverse of ``init(options:ofPolicy:)``.
  var options: [String: String] {
    var options: [String: String] = [:]
    if floor != 0 { options["floor"] = "\(floor)" }
    if cap != 1 { options["cap"] = "\(cap)" }
    if let largestMove { options["largest-move"] = "\(largestMove)" }
    guard let priorDivergence else { return options }
    options["prior-kl"] = "\(priorDivergence)"
    let prior = prior.options
    options["prior"] = prior["weights"] ?? prior["file"] ?? prior["exponent"] ?? prior["mixture"]
    return options
  }

  /// Reads bounds from option values.
  ///
  /// - Parameters:
  ///   - values: values by option name, all of ``optionMeanings``.
  ///   - policy: the policy's name, for errors.
  /// - Throws: ``MixingError/malformedOption(policy:option:value:expected:)``,
  ///   ``MixingError/missingOption(policy:option:)`` for a prior without divergence, and
  ///   ``MixingError/duplicateDomain(name:)``.
  init(options values: [String: String], ofPolicy policy: String) throws(MixingError) {
    let options = PolicyOptions(values, ofPolicy: policy)
    var prior = StaticMixture.natural
    if let text = values["prior"] {
      _ = try options.required("prior-kl")
      prior = try Self.prior(text, ofPolicy: policy)
    }
    self.init(
      floor: try options.number("floor", default: 0, in: 0...1),
      cap: try options.number("cap", default: 1, in: 1e-9...1),
      largestMove: values["largest-move"] == nil
        ? nil : try options.number("largest-move", default: 1, in: 1e-9...1),
      priorDivergence: values["prior-kl"] == nil
        ? nil : try options.number("prior-kl", default: 0, in: 0...1e6),
      prior: prior)
  }

  /// Reads what one option says of a prior: a form, weights, an exponent or a path.
  private static func prior(
    _ text: String, ofPolicy policy: String
  ) throws(MixingError) -> StaticMixture {
    if text.hasSuffix(".json") { return .regMix(text) }
    let option = text.contains("=") ? "weights" : Double(text) != nil ? "exponent" : "mixture"
    do throws(MixingError) {
      return try StaticMixture(options: [option: text], ofPolicy: policy)
    } catch {
      if case .duplicateDomain = error { throw error }
      throw .malformedOption(
        policy: policy, option: "prior", value: text,
        expected: "natural, uniform, an exponent, domain=weight,…, or a mixture.json")
    }
  }
}
