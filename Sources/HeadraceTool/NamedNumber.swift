internal import ArgumentParser

/// `name=number` on a command line; the last `=` separates, so that names may hold one.
struct NamedNumber: ExpressibleByArgument {
  let name: String
  let number: Double

  init?(argument: String) {
    guard let equals = argument.lastIndex(of: "="), equals > argument.startIndex,
      let number = Double(argument[argument.index(after: equals)...]), number.isFinite
    else { return nil }
    name = String(argument[..<equals])
    self.number = number
  }

  /// The numbers by name.
  ///
  /// - Throws: a `ValidationError` for a name that stands there twice.
  static func byName(_ list: [NamedNumber], option: String) throws -> [String: Double] {
    var numbers: [String: Double] = [:]
    for entry in list where numbers.updateValue(entry.number, forKey: entry.name) != nil {
      throw ValidationError("\(option) names '\(entry.name)' twice")
    }
    return numbers
  }
}
