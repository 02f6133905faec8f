#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// How the files of a run folder are written: JSON with sorted snake_case keys.
enum RunJSON {
  /// Returns `value` as JSON: one line, or several that end with a line feed.
  static func encode(_ value: some Encodable, onOneLine: Bool = false) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting =
      onOneLine
      ? [.sortedKeys, .withoutEscapingSlashes]
      : [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
    do {
      return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
    } catch {
      // Every number that comes here was checked to be finite; nothing else can fail.
      preconditionFailure("a part of a run did not encode: \(error)")
    }
  }

  /// Reads what ``encode(_:onOneLine:)`` wrote.
  static func decode<Value: Decodable>(
    _ type: Value.Type, from bytes: some Collection<UInt8>
  ) throws -> Value {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(type, from: Data(bytes))
  }

  /// What is wrong with JSON, in words: the place in it, and what was found there.
  static func reason(_ error: any Error) -> String {
    guard let error = error as? DecodingError else { return "\(error)" }
    func place(_ context: DecodingError.Context, _ key: (any CodingKey)? = nil) -> String {
      let path = (context.codingPath + (key.map { [$0] } ?? [])).map(\.stringValue)
      return path.isEmpty ? "the top level" : "\"" + path.joined(separator: ".") + "\""
    }
    switch error {
    case .keyNotFound(let key, let context): return "\(place(context, key)) is missing"
    case .valueNotFound(_, let context): return "\(place(context)) is null"
    case .typeMismatch(let type, let context): return "\(place(context)) is no \(type)"
    case .dataCorrupted(let context):
      return "\(place(context)): \(context.debugDescription)"
    @unknown default: return "\(error)"
    }
  }

  /// The leaves of a JSON text as dotted paths and values, sorted by path.
  ///
  /// An element of an array that has a name goes by it, so that an error can say
  /// `domains.code.fingerprint`.
  static func leaves(of bytes: [UInt8]) -> [String: String] {
    guard let tree = try? JSONDecoder().decode(Tree.self, from: Data(bytes)) else { return [:] }
    var leaves: [String: String] = [:]
    tree.collect(into: &leaves, path: "")
    return leaves
  }

  private enum Tree: Decodable {
    case leaf(String)
    case list([Tree])
    case table([String: Tree])

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if container.decodeNil() {
        self = .leaf("none")
      } else if let value = try? container.decode(Bool.self) {
        self = .leaf("\(value)")
      } else if let value = try? container.decode(UInt64.self) {
        // Before the real numbers, which do not hold every seed.
        self = .leaf("\(value)")
      } else if let value = try? container.decode(Double.self) {
        self = .leaf("\(value)")
      } else if let value = try? container.decode(String.self) {
        self = .leaf(value)
      } else if let value = try? container.decode([Tree].self) {
        self = .list(value)
      } else {
        self = .table(try container.decode([String: Tree].self))
      }
    }

    func collect(into leaves: inout [String: String], path: String) {
      let prefix = path.isEmpty ? "" : path + "."
      switch self {
      case .leaf(let text): leaves[path] = text
      case .list(let elements):
        leaves[prefix + "count"] = "\(elements.count)"
        for (index, element) in elements.enumerated() {
          element.collect(into: &leaves, path: prefix + (element.name ?? "\(index)"))
        }
      case .table(let fields):
        for (name, field) in fields { field.collect(into: &leaves, path: prefix + name) }
      }
    }

    private var name: String? {
      guard case .table(let fields) = self, case .leaf(let name)? = fields["name"] else {
        return nil
      }
      return name
    }
  }
}
