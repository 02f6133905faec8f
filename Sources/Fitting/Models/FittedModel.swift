/// A model of one loss, of any kind, as it is stored and predicted with.
package indirect enum FittedModel: Sendable, Equatable, LossModel {
  /// A linear one.
  case linear(LinearModel)
  /// A power law.
  case powerLaw(PowerLaw)
  /// Trees, our own or LightGBM's.
  case trees(TreeEnsemble)
  /// A Gaussian process.
  case gaussianProcess(GaussianProcess)
  /// The mean of several.
  case average(ModelAverage)

  private var model: any LossModel {
    switch self {
    case .linear(let model): model
    case .powerLaw(let model): model
    case .trees(let model): model
    case .gaussianProcess(let model): model
    case .average(let model): model
    }
  }

  /// The number of domains that shares are of.
  package var domainCount: Int { model.domainCount }

  /// Returns the predicted loss.
  ///
  /// - Parameter shares: r `[domain]`.
  /// - Returns: L, in nats per token.
  package func loss(of shares: [Double]) -> Double { model.loss(of: shares) }
}

extension FittedModel: Codable {
  private enum Kind: String, Codable {
    case linear
    case powerLaw = "power_law"
    case trees
    case gaussianProcess = "gaussian_process"
    case average
  }

  private enum CodingKeys: String, CodingKey { case kind, model }

  /// Reads what ``encode(to:)`` wrote.
  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    switch try container.decode(Kind.self, forKey: .kind) {
    case .linear: self = .linear(try container.decode(LinearModel.self, forKey: .model))
    case .powerLaw: self = .powerLaw(try container.decode(PowerLaw.self, forKey: .model))
    case .trees: self = .trees(try container.decode(TreeEnsemble.self, forKey: .model))
    case .gaussianProcess:
      self = .gaussianProcess(try container.decode(GaussianProcess.self, forKey: .model))
    case .average: self = .average(try container.decode(ModelAverage.self, forKey: .model))
    }
  }

  /// Writes the kind and the model.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    switch self {
    case .linear(let model):
      try container.encode(Kind.linear, forKey: .kind)
      try container.encode(model, forKey: .model)
    case .powerLaw(let model):
      try container.encode(Kind.powerLaw, forKey: .kind)
      try container.encode(model, forKey: .model)
    case .trees(let model):
      try container.encode(Kind.trees, forKey: .kind)
      try container.encode(model, forKey: .model)
    case .gaussianProcess(let model):
      try container.encode(Kind.gaussianProcess, forKey: .kind)
      try container.encode(model, forKey: .model)
    case .average(let model):
      try container.encode(Kind.average, forKey: .kind)
      try container.encode(model, forKey: .model)
    }
  }
}

/// The mean of the predictions of several models.
///
/// Models of different kinds err in different places, so that their mean errs less.
///
///     L(r) = 1/n Σ_i L_i(r)
package struct ModelAverage: Sendable, Equatable, Codable, LossModel {
  /// L_i, at least one.
  package let models: [FittedModel]

  /// Creates the mean.
  ///
  /// - Precondition: there is at least one model, and all are of the same number of domains.
  package init(_ models: [FittedModel]) {
    precondition(Self.isWhole(models), "models that have no mean")
    self.models = models
  }

  private static func isWhole(_ models: [FittedModel]) -> Bool {
    guard let first = models.first else { return false }
    return models.allSatisfy { $0.domainCount == first.domainCount }
  }

  /// Reads the models.
  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    models = try container.decode([FittedModel].self, forKey: .models)
    guard Self.isWhole(models) else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: container.codingPath, debugDescription: "models that have no mean"))
    }
  }

  private enum CodingKeys: String, CodingKey { case models }

  /// The number of domains that shares are of.
  package var domainCount: Int { models[0].domainCount }

  /// Returns the mean prediction.
  ///
  /// - Parameter shares: r `[domain]`.
  /// - Returns: L, in nats per token.
  package func loss(of shares: [Double]) -> Double {
    models.reduce(0) { $0 + $1.loss(of: shares) } / Double(models.count)
  }
}
