internal import Mixing

/// Which parameters of the language model the gradients of single domains are measured of.
///
/// Written `all`, or as kinds with the layers that are meant, counted from 0, joined by `+`:
///
///     hidden-output                the second matrix of every layer's MLP, as in AC-ODM
///     hidden-output:2,3            that of two layers
///     attention-output:3+head      a matrix of one layer, and the last one of the model
///
/// The kinds of a layer are `attention-norm`, `attention-input`, `attention-output`,
/// `hidden-norm`, `hidden-input` and `hidden-output`; outside of layers there are `embedding`,
/// `final-norm` and `head`.
public struct WatchedParameters: Sendable, Equatable {
  /// As it was written.
  public let text: String
  /// The kinds and their layers, nil for all of them; empty for all parameters.
  private let terms: [Term]

  private struct Term: Equatable {
    var kind: String
    var layers: [Int]?
  }

  /// All parameters.
  public static let all = WatchedParameters()

  private static let layerKinds = [
    "attention-norm", "attention-input", "attention-output", "hidden-norm", "hidden-input",
    "hidden-output",
  ]
  private static let otherKinds = ["embedding", "final-norm", "head"]

  private init() { (text, terms) = ("all", []) }

  /// Reads a selection.
  ///
  /// - Parameter text: as above.
  /// - Throws: ``TrainingError/watchedParametersMalformed(text:reason:)``.
  public init(_ text: String) throws(TrainingError) {
    self.text = text
    guard text != "all" else {
      terms = []
      return
    }
    func malformed(_ reason: String) -> TrainingError {
      .watchedParametersMalformed(text: text, reason: reason)
    }
    var terms: [Term] = []
    for part in text.split(separator: "+", omittingEmptySubsequences: false) {
      let pair = part.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      let kind = String(pair[0])
      guard (Self.layerKinds + Self.otherKinds).contains(kind) else {
        throw malformed(
          "'\(kind)' is none of \((Self.layerKinds + Self.otherKinds).joined(separator: ", "))")
      }
      guard pair.count == 2 else {
        terms.append(Term(kind: kind))
        continue
      }
      guard Self.layerKinds.contains(kind) else { throw malformed("\(kind) is of no layer") }
      var layers: [Int] = []
      for word in pair[1].split(separator: ",", omittingEmptySubsequences: false) {
        guard let layer = Int(word), layer >= 0 else {
          throw malformed("'\(word)' is no layer; layers are counted from 0")
        }
        layers.append(layer)
      }
      terms.append(Term(kind: kind, layers: layers))
    }
    self.terms = terms
  }

  /// The slices that are meant, in the order of the buffer, each once.
  ///
  /// - Throws: ``TrainingError/watchedParametersMalformed(text:reason:)`` for a layer beyond the
  ///   model's.
  func slices(in layout: ParameterLayout) throws(TrainingError) -> [ParameterSlice] {
    guard !terms.isEmpty else { return layout.slices }
    var names: Set<String> = []
    for term in terms {
      guard Self.layerKinds.contains(term.kind) else {
        names.insert(term.kind == "final-norm" ? "final_norm" : term.kind)
        continue
      }
      let kind = term.kind.split(separator: "-").joined(separator: ".")
      for layer in term.layers ?? Array(layout.layers.indices) {
        guard layout.layers.indices.contains(layer) else {
          throw .watchedParametersMalformed(
            text: text,
            reason: "the model has layers 0..<\(layout.layers.count), not \(layer)")
        }
        names.insert("layers.\(layer).\(kind)")
      }
    }
    return layout.slices.filter { names.contains($0.name) }
  }
}

/// What a run records of how the gradients of single domains are measured.
public struct GradientSettings: Sendable, Equatable, Codable {
  /// Which parameters are watched, as ``WatchedParameters`` reads it.
  public var watched: String
  /// p, the numbers that a gradient is projected to; nil for gradients as they are.
  public var projectionWidth: Int?

  /// Creates settings; all parameters are watched, as they are, unless something else is said.
  public init(watched: String = WatchedParameters.all.text, projectionWidth: Int? = nil) {
    self.watched = watched
    self.projectionWidth = projectionWidth
  }

  /// Checks the settings against a model.
  ///
  /// - Throws: ``TrainingError/watchedParametersMalformed(text:reason:)`` or
  ///   ``TrainingError/settingOutOfRange(name:value:allowed:)``.
  func validate(for model: LanguageModelConfiguration) throws(TrainingError) {
    _ = try WatchedParameters(watched).slices(in: ParameterLayout(model))
    if let projectionWidth, !GradientProjection.widthRange.contains(projectionWidth) {
      throw .settingOutOfRange(
        name: "projection_width", value: projectionWidth, allowed: GradientProjection.widthRange)
    }
  }
}
