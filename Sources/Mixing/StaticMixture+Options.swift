extension StaticMixture {
  /// The options by which a static mixture is asked for by name, and what each means.
  static let optionMeanings = [
    "mixture": "natural (default), uniform, temperature, weights or regmix",
    "exponent": "with mixture=temperature: 0 is uniform, 1 natural",
    "weights": "with mixture=weights: domain=weight,domain=weight,… summing to 1",
    "file": "with mixture=regmix: the path of a mixture.json",
  ]

  /// The option that each form reads besides `mixture`.
  private static let detailOptions = [
    "temperature": "exponent", "weights": "weights", "regmix": "file",
  ]

  /// Reads a static mixture from option values.
  ///
  /// `mixture` may be left out where another option says which form is meant.
  ///
  /// - Parameters:
  ///   - options: values by option name, all of ``optionMeanings``.
  ///   - policy: the policy's name, for errors.
  /// - Throws: ``MixingError/missingOption(policy:option:)``,
  ///   ``MixingError/malformedOption(policy:option:value:expected:)``,
  ///   ``MixingError/unknownOption(policy:option:near:known:)`` for an option that the form does
  ///   not read, and ``MixingError/duplicateDomain(name:)``.
  init(options: [String: String], ofPolicy policy: String) throws(MixingError) {
    let details = StaticMixture.detailOptions
    let implied = details.keys.sorted().first { options[details[$0, default: ""]] != nil }
    let form = options["mixture"] ?? implied ?? "natural"
    let read = details[form]
    if let unread = options.keys.filter({ $0 != "mixture" && $0 != read }).min(),
      ["natural", "uniform", "temperature", "weights", "regmix"].contains(form)
    {
      throw .unknownOption(
        policy: "\(policy) with mixture=\(form)", option: unread, near: [],
        known: ["mixture"] + (read.map { [$0] } ?? []))
    }
    func value(of option: String) throws(MixingError) -> String {
      guard let value = options[option] else {
        throw .missingOption(policy: policy, option: option)
      }
      return value
    }
    switch form {
    case "natural": self = .natural
    case "uniform": self = .uniform
    case "temperature":
      self = try .temperature(StaticMixture.exponent(value(of: "exponent"), ofPolicy: policy))
    case "weights":
      self = try .weights(StaticMixture.weights(value(of: "weights"), ofPolicy: policy))
    case "regmix": self = .regMix(try value(of: "file"))
    default:
      throw .malformedOption(
        policy: policy, option: "mixture", value: form,
        expected: "natural, uniform, temperature, weights or regmix")
    }
  }

  /// The options that mean this mixture; the inverse of ``init(options:ofPolicy:)``.
  var options: [String: String] {
    switch self {
    case .natural: ["mixture": "natural"]
    case .uniform: ["mixture": "uniform"]
    case .temperature(let exponent):
      ["mixture": "temperature", "exponent": "\(exponent)"]
    case .weights(let weights):
      [
        "mixture": "weights",
        "weights": weights.keys.sorted().map { "\($0)=\(weights[$0] ?? 0)" }
          .joined(separator: ","),
      ]
    case .regMix(let path): ["mixture": "regmix", "file": path]
    }
  }

  private static func exponent(
    _ text: String, ofPolicy policy: String
  ) throws(MixingError) -> Double {
    guard let exponent = Double(text), exponentRange.contains(exponent) else {
      throw .malformedOption(
        policy: policy, option: "exponent", value: text,
        expected: "a number in [\(exponentRange.lowerBound), \(exponentRange.upperBound)]")
    }
    return exponent
  }

  /// Reads `domain=weight,…`.
  ///
  /// The last `=` of an item separates, so that names may hold one.
  private static func weights(
    _ text: String, ofPolicy policy: String
  ) throws(MixingError) -> [String: Double] {
    var weights: [String: Double] = [:]
    for item in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let equals = item.lastIndex(of: "="), equals > item.startIndex,
        let weight = Double(item[item.index(after: equals)...])
      else {
        throw .malformedOption(
          policy: policy, option: "weights", value: String(item), expected: "domain=weight")
      }
      let name = String(item[..<equals])
      guard weights.updateValue(weight, forKey: name) == nil else {
        throw .duplicateDomain(name: name)
      }
    }
    return weights
  }
}
