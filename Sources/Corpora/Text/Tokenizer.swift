/// What turns text into token ids.
///
/// One value serves all threads at once. Equal bytes give equal tokens, always: a packed corpus can
/// be made again.
public protocol Tokenizer: Sendable {
  /// The name that stands in the corpus; loaders compare it.
  var name: String { get }
  /// The number of token ids, ``endOfText`` included.
  var vocabularySize: Int { get }
  /// The id that ends a document. ``encode(_:into:)`` never gives it.
  var endOfText: UInt32 { get }

  /// Appends the tokens of one document to `tokens`, without an end-of-text.
  ///
  /// - Parameters:
  ///   - text: UTF-8, not empty.
  ///   - tokens: a buffer that is reused for the next document.
  func encode(_ text: Span<UInt8>, into tokens: inout [UInt32])
}

/// Every byte of the text is a token; end-of-text is 256.
public struct BytesTokenizer: Tokenizer {
  /// The name in the corpus, "bytes".
  public let name = "bytes"
  /// 256 bytes and end-of-text.
  public let vocabularySize = 257
  /// The first id that is no byte.
  public let endOfText: UInt32 = 256

  /// Creates the tokenizer; all of them are equal.
  public init() {}

  /// Appends one token for each byte.
  ///
  /// - Parameters:
  ///   - text: the document.
  ///   - tokens: where the tokens go.
  public func encode(_ text: Span<UInt8>, into tokens: inout [UInt32]) {
    text.withUnsafeBufferPointer { bytes in
      tokens.append(contentsOf: bytes.lazy.map { UInt32($0) })
    }
  }
}

/// The tokenizers that have a name on the command line.
public enum TokenizerRegistry {
  /// The names, in the order in which help shows them.
  public static let names = ["bytes"]

  /// Returns the tokenizer of that name, or nil.
  public static func tokenizer(named name: String) -> (any Tokenizer)? {
    name == "bytes" ? BytesTokenizer() : nil
  }
}
