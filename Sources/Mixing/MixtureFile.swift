#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A file with the weights of a mixture by domain name, such as RegMix's search leaves behind.
///
///     {"weights": {"code": 0.25, "prose": 0.75}, …}
///
/// Other keys say where the weights come from and are not read.
public enum MixtureFile {
  /// The largest file that is read, 1 MiB: names of 100 letters for ten thousand domains.
  public static let byteLimit = 1 << 20

  private struct Contents: Decodable {
    let weights: [String: Double]
  }

  /// Reads the file and returns its mixture for a corpus.
  ///
  /// - Parameters:
  ///   - path: where the file is.
  ///   - context: the domains that the weights have to name, each once.
  /// - Returns: the mixture in the order of the context's domains.
  /// - Throws: ``MixingError/fileUnreadable(path:errorNumber:)``,
  ///   ``MixingError/fileTooLarge(path:byteLimit:)``,
  ///   ``MixingError/fileMalformed(path:underlying:)`` if it is not JSON of this form,
  ///   ``MixingError/fileRefused(path:underlying:)`` if the weights are no mixture of these
  ///   domains.
  public static func mixture(
    atPath path: String, in context: PolicyContext
  ) throws(MixingError) -> Mixture {
    let bytes = try SmallFile.read(path, byteLimit: byteLimit)
    let contents: Contents
    do {
      contents = try JSONDecoder().decode(Contents.self, from: Data(bytes))
    } catch {
      throw .fileMalformed(path: path, underlying: error)
    }
    do {
      return try context.mixture(ofWeights: contents.weights)
    } catch {
      throw .fileRefused(path: path, underlying: error)
    }
  }
}
