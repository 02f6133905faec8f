/// What is wrong with one document's text.
///
/// These are the faults that packing may be told to skip. Damage of the file that holds the
/// document is not among them: nobody can know how many documents it took with it.
public enum DocumentFault: Error, Sendable, Equatable {
  /// The bytes are not UTF-8.
  case invalidUTF8
  /// The line holds a byte where JSON allows no such byte.
  case unexpectedByte(UInt8)
  /// The line ends inside its JSON object.
  case unexpectedEnd
  /// A JSON string holds an escape that JSON does not know.
  case invalidEscape
  /// A `\u` escape stands for one half of a surrogate pair, and the other half is missing.
  case loneSurrogate
  /// Arrays and objects are nested deeper than `limit`.
  case tooDeep(limit: Int)
  /// The object has no field of that name.
  case missingField(name: String)
  /// The field holds something other than a string.
  case fieldNotString(name: String)
  /// The line or text file has more than `limit` bytes.
  case tooLong(limit: Int)
}

/// A document's fault and the byte, counted from the start of its line, where it was found.
package struct DocumentFailure: Error, Equatable {
  package let fault: DocumentFault
  package let byteOffset: Int

  package init(_ fault: DocumentFault, at byteOffset: Int) {
    self.fault = fault
    self.byteOffset = byteOffset
  }
}

/// Where in a text file something was found.
public struct TextPlace: Sendable, Equatable {
  /// The path of the file, as it was opened.
  public let path: String
  /// The line, counted from 1; nil where the file has no lines that matter.
  public let line: Int?
  /// The byte, counted from 0, in the text; where the file is compressed, in what it decompresses
  /// to.
  public let byteOffset: Int
  /// The zstd frame that holds the byte, counted from 0; nil where the file is not compressed.
  public let frame: Int?

  /// Names a place.
  public init(path: String, line: Int?, byteOffset: Int, frame: Int?) {
    self.path = path
    self.line = line
    self.byteOffset = byteOffset
    self.frame = frame
  }
}

/// What is wrong with a compressed text file.
public enum TextFrameFault: Sendable, Equatable {
  /// The file ends inside a frame, or holds none.
  case endsInside
  /// libzstd found the damage; `name` is its error's name.
  case zstd(name: String)
}
