extension TextPlace: CustomStringConvertible {
  /// The path, and as much of line, byte and frame as is known.
  public var description: String {
    var text = path
    if let line { text += ", line \(line)" }
    text += ", byte \(byteOffset)"
    if let frame { text += " of the decompressed text, frame \(frame)" }
    return text
  }
}

extension DocumentFault: CustomStringConvertible {
  /// What is wrong, without the place.
  public var description: String {
    switch self {
    case .invalidUTF8: "the text is not UTF-8"
    case .unexpectedByte(let byte): "\(Self.name(of: byte)) does not belong there in JSON"
    case .unexpectedEnd: "the line ends inside its JSON object"
    case .invalidEscape: "the escape is not one that JSON knows"
    case .loneSurrogate: "the escape is half of a surrogate pair, and its other half is missing"
    case .tooDeep(let limit): "arrays and objects are nested deeper than \(limit)"
    case .missingField(let name): "the object has no field \"\(name)\""
    case .fieldNotString(let name): "the field \"\(name)\" is not a string"
    case .tooLong(let limit): "the document has more than \(limit) bytes"
    }
  }

  /// A printable byte in quotes, any other as a number.
  private static func name(of byte: UInt8) -> String {
    (0x21...0x7E).contains(byte)
      ? "'\(Character(UnicodeScalar(byte)))'" : "0x" + String(byte, radix: 16)
  }
}

extension TextFrameFault: CustomStringConvertible {
  /// What is wrong, without the place.
  public var description: String {
    switch self {
    case .endsInside: "the file ends before the frame does"
    case .zstd(let name): "libzstd says \"\(name)\""
    }
  }
}
