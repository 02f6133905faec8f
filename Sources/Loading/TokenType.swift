internal import Corpora

/// The element type of a batch's tokens.
public enum TokenType: String, Sendable, Codable, CaseIterable {
  case uint16, uint32, int32, int64

  /// The size of an element in bytes.
  public var byteCount: Int {
    switch self {
    case .uint16: 2
    case .uint32, .int32: 4
    case .int64: 8
    }
  }

  /// Whether every token of that width has a value of this type (vocabularies stay below 2^31).
  func holds(_ width: TokenWidth) -> Bool { byteCount >= width.byteCount }
}

/// A Swift type that a batch's tokens can have.
public protocol TokenElement: FixedWidthInteger & BitwiseCopyable & Sendable {
  /// The type's name in configurations.
  static var tokenType: TokenType { get }
}

extension UInt16: TokenElement {
  /// Tokens as stored, for vocabularies of up to 65,536 ids.
  public static var tokenType: TokenType { .uint16 }
}

extension UInt32: TokenElement {
  /// Tokens of any vocabulary.
  public static var tokenType: TokenType { .uint32 }
}

extension Int32: TokenElement {
  /// Tokens as most embedding kernels take them.
  public static var tokenType: TokenType { .int32 }
}

extension Int64: TokenElement {
  /// Tokens as PyTorch's embedding takes them.
  public static var tokenType: TokenType { .int64 }
}
