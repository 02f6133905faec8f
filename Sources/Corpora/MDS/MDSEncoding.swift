/// What an MDS column's encoding says of its bytes.
struct MDSEncoding: Sendable, Equatable {
  /// How the bytes of a column hold tokens.
  enum Content: Sendable, Equatable {
    /// Integers whose type nothing in the shard says.
    case bytes
    /// One integer.
    case integer(StoredTokenType)
    /// An array; a dtype or shape that is not in the encoding's name begins each sample's bytes.
    case array(StoredTokenType?, hasShape: Bool)
    /// A pickled object.
    case pickle
    /// No integers.
    case other
  }

  let content: Content
  /// The size in bytes of each sample's value; nil where it varies, and also for an encoding that
  /// this program does not know.
  let byteCount: Int?
  /// Whether this program knows the encoding, and with it whether its size varies.
  let isKnown: Bool

  /// The largest value of a fixed size.
  private static let byteCountLimit = Int(UInt32.max)
  private static let variable: Set<String> = [
    "str", "str_int", "str_float", "str_decimal", "json", "pil", "jpeg", "png", "list[pil]",
    "list[jpeg]", "list[png]", "jpeg_array", "jpegarray",
  ]

  /// Reads an encoding's name; nil for an array's name that is none.
  init?(_ name: String) {
    if name == "ndarray" || name.hasPrefix("ndarray:") {
      self.init(arrayName: name)
    } else {
      self.init(scalarName: name)
    }
  }

  private init(scalarName name: String) {
    isKnown =
      Self.variable.contains(name) || name == "bytes" || name == "pkl"
      || Self.scalarByteCount(name) != nil
    byteCount = Self.scalarByteCount(name)
    content =
      switch name {
      case "bytes": .bytes
      case "pkl": .pickle
      case "int": .integer(.int64)
      default: StoredTokenType(rawValue: name).map { .integer($0) } ?? .other
      }
  }

  /// Reads `ndarray[:dtype[:d0,d1,…]]`.
  private init?(arrayName name: String) {
    let parts = name.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count <= 3 else { return nil }
    isKnown = true
    guard parts.count >= 2 else {
      content = .array(nil, hasShape: false)
      byteCount = nil
      return
    }
    guard let itemByteCount = Self.scalarByteCount(String(parts[1])), parts[1] != "int" else {
      return nil
    }
    let type = StoredTokenType(rawValue: String(parts[1]))
    content = type.map { .array($0, hasShape: parts.count == 3) } ?? .other
    guard parts.count == 3 else {
      byteCount = nil
      return
    }
    var product = itemByteCount
    for text in parts[2].split(separator: ",", omittingEmptySubsequences: false) {
      guard let dimension = Int(text), dimension >= 1 else { return nil }
      let (wider, overflows) = product.multipliedReportingOverflow(by: dimension)
      guard !overflows, wider <= Self.byteCountLimit else { return nil }
      product = wider
    }
    byteCount = product
  }

  private static func scalarByteCount(_ name: String) -> Int? {
    switch name {
    case "int", "float64": 8
    case "float32": 4
    case "float16": 2
    default: StoredTokenType(rawValue: name)?.byteCount
    }
  }

  /// The type whose dtype code an array's first byte may be; nil for floats and for what is no
  /// code.
  static func tokenType(ofCode code: UInt8) -> StoredTokenType? {
    switch code {
    case 8: .uint8
    case 9: .int8
    case 16: .uint16
    case 17: .int16
    case 32: .uint32
    case 33: .int32
    case 64: .uint64
    case 65: .int64
    default: nil
    }
  }
}
