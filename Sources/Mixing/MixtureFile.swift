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

  private struct Contents: Codable {
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

  /// Returns a file with a mixture.
  ///
  /// - Parameters:
  ///   - mixture: its weights are exact in the file.
  ///   - domainNames: the names of its domains, each once.
  /// - Returns: the file's bytes.
  /// - Throws: ``MixingError/fileMalformed(path:underlying:)``; none is known.
  package static func bytes(
    of mixture: Mixture, domainNames: [String]
  ) throws(MixingError) -> [UInt8] {
    let weights = Dictionary(zip(domainNames, mixture.weights)) { first, _ in first }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    do {
      return Array(try encoder.encode(Contents(weights: weights))) + [UInt8(ascii: "\n")]
    } catch {
      throw .fileMalformed(path: "mixture.json", underlying: error)
    }
  }
}
