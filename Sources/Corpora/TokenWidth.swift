/// How many bytes a token takes in a shard.
public enum TokenWidth: Int, Sendable, Codable, CaseIterable {
  /// Little-endian UInt16, for vocabularies of up to 65,536 tokens.
  case uint16 = 2
  /// Little-endian UInt32.
  case uint32 = 4

  /// The width in bytes.
  public var byteCount: Int { rawValue }

  /// Returns the narrowest width that holds every id of a vocabulary.
  ///
  /// - Parameter vocabularySize: The number of token ids, end-of-text included.
  /// - Returns: ``uint16`` up to 65,536 ids, else ``uint32``.
  public static func holding(vocabularySize: Int) -> TokenWidth {
    vocabularySize <= 1 << 16 ? .uint16 : .uint32
  }
}

/// The format's one frame size: every frame of a token shard but the last holds exactly this many
/// tokens.
package let tokensPerFrame = 1 << 18
