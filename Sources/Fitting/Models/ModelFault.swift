/// What can be wrong with a model that is asked for.
public enum ModelFault: Error, Sendable, Equatable {
  /// A name that no model has.
  case unknownModel(name: String, near: [String], known: [String])
  /// A loss that the table does not have.
  case unknownLoss(name: String, near: [String], known: [String])
  /// A domain that the runs do not have.
  case unknownDomain(name: String, near: [String], known: [String])
  /// Fewer runs than the fit needs.
  case tooFewRuns(found: Int, needed: Int, purpose: String)
  /// A target that is given twice, or with a weight that is not finite and above 0.
  case targetLossRefused(name: String, weight: Double)
  /// Fewer shares than the model has domains, or more.
  case domainCount(expected: Int, found: Int)
  /// LightGBM's library cannot be opened.
  case libraryNotOpened(path: String, reason: String)
  /// LightGBM's library lacks a function.
  case libraryFunctionMissing(path: String, function: String)
  /// LightGBM answers a call with an error.
  case libraryCallFailed(function: String, reason: String)
  /// A model in LightGBM's text form that cannot be read.
  case libraryModelMalformed(reason: String)
  /// LightGBM is asked for and nobody says where it is.
  case libraryNotNamed(variable: String)
}

extension ModelFault: CustomStringConvertible {
  /// What was found and what to do.
  public var description: String {
    switch self {
    case .unknownModel(let name, let near, let known):
      "unknown model '\(name)'\(Self.suggestion(near)); known models: "
        + known.joined(separator: ", ")
    case .unknownLoss(let name, let near, let known):
      "the runs have no loss '\(name)'\(Self.suggestion(near)); their losses: "
        + known.joined(separator: ", ")
    case .unknownDomain(let name, let near, let known):
      "the runs have no domain '\(name)'\(Self.suggestion(near)); their domains: "
        + known.joined(separator: ", ")
    case .tooFewRuns(let found, let needed, let purpose):
      "\(found) runs are too few to \(purpose); at least \(needed) are needed"
    case .targetLossRefused(let name, let weight):
      "the loss '\(name)' is given twice, or with the weight \(weight); each has one weight above 0"
    case .domainCount(let expected, let found):
      "the model predicts from shares of \(expected) domains, not of \(found)"
    default: libraryText
    }
  }

  private var libraryText: String {
    switch self {
    case .libraryNotOpened(let path, let reason):
      "\(path): cannot be opened as LightGBM's library: \(reason)"
    case .libraryFunctionMissing(let path, let function):
      "\(path): has no function \(function); it is not LightGBM's library, or one too old"
    case .libraryCallFailed(let function, let reason): "LightGBM's \(function) failed: \(reason)"
    case .libraryModelMalformed(let reason): "LightGBM's model cannot be read: \(reason)"
    case .libraryNotNamed(let variable):
      "nobody says where LightGBM's library is: give its path (lib_lightgbm.so, which the Python "
        + "package lightgbm holds) or set \(variable)"
    default: ""
    }
  }

  private static func suggestion(_ near: [String]) -> String {
    near.isEmpty ? "" : "; did you mean " + near.map { "'\($0)'" }.joined(separator: " or ") + "?"
  }
}
