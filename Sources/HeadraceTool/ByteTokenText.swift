/// Text from a corpus or a ledger, in one line that changes nothing about the terminal.
enum ByteTokenText {
  /// Returns the beginning of byte tokens as text of at most `limit` characters, escapes not split.
  ///
  /// Bytes that are no UTF-8, as where a row begins inside a character, are shown as U+FFFD.
  static func line(of tokens: ArraySlice<Int64>, endOfText: Int64, limit: Int) -> String {
    let documents = tokens.split(separator: endOfText, omittingEmptySubsequences: false)
      .map { String(decoding: $0.map { UInt8(truncatingIfNeeded: $0) }, as: UTF8.self) }
    var line = ""
    for (index, document) in documents.enumerated() {
      if index > 0 { line += "<end of text>" }
      for character in document {
        guard line.count < limit else { return line + " …" }
        line += escaped(String(character))
      }
    }
    return line + " …"
  }

  /// Returns `text` with everything escaped that is not printed as itself: control and formatting
  /// characters, and line ends.
  static func escaped(_ text: String) -> String {
    var line = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": line += "\\n"
      case "\t": line += "\\t"
      case "\r": line += "\\r"
      case "\\": line += "\\\\"
      default:
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse,
          .unassigned:
          line += "\\u{\(String(scalar.value, radix: 16))}"
        default: line.unicodeScalars.append(scalar)
        }
      }
    }
    return line
  }
}
