#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif
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
    let bytes = try read(path, byteLimit: byteLimit)
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

  /// Returns the bytes of a small file.
  static func read(_ path: String, byteLimit: Int) throws(MixingError) -> [UInt8] {
    guard let file = fopen(path, "rb") else {
      throw .fileUnreadable(path: path, errorNumber: errno)
    }
    defer { fclose(file) }
    var readError: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: byteLimit + 1) { buffer, count in
      count = fread(buffer.baseAddress, 1, byteLimit + 1, file)
      if ferror(file) != 0 { readError = errno }
    }
    guard readError == 0 else { throw .fileUnreadable(path: path, errorNumber: readError) }
    guard bytes.count <= byteLimit else { throw .fileTooLarge(path: path, byteLimit: byteLimit) }
    return bytes
  }
}
