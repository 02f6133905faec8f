internal import Corpora
internal import Fitting

#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// The folder of a fit.
struct FitFolder {
  /// The files that a fit writes.
  static let fileNames = ["mixture.json", StoredModels.fileName, "held_out.csv"]

  private let path: String

  init(_ path: String) { self.path = path }

  /// The path of the models.
  var modelsPath: String { path + "/" + StoredModels.fileName }

  /// Writes everything; the mixture comes last, so that a fit with a mixture is whole.
  func write(mixture: FittedMixture, models: StoredModels, heldOut: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw ToolFailure("\(path): the folder cannot be made: \(error)")
    }
    try DurableFile.write(Array(heldOut.utf8), to: path + "/held_out.csv")
    try DurableFile.write(try models.json(), to: modelsPath)
    try DurableFile.write(try mixture.json(), to: path + "/mixture.json")
  }
}
