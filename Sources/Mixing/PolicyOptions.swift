/// The option values of a policy as a command line gives them, read one by one.
///
/// Unknown names are refused before, by the ``PolicyRegistry``.
package struct PolicyOptions {
  /// The policy's name, for errors.
  package let policy: String
  /// The values by option name.
  package let values: [String: String]

  /// Creates a reader of `values`.
  package init(_ values: [String: String], ofPolicy policy: String) {
    self.policy = policy
    self.values = values
  }

  /// Returns a number, or `fallback` where the option is left out.
  package func number(
    _ option: String, default fallback: Double, in range: ClosedRange<Double>
  ) throws(MixingError) -> Double {
    guard let text = values[option] else { return fallback }
    guard let value = Double(text), range.contains(value) else {
      throw malformed(
        option,
        expected: "a number in [\(Self.text(range.lowerBound)), \(Self.text(range.upperBound))]")
    }
    return value
  }

  /// Returns a whole number, or `fallback` where the option is left out.
  package func integer(
    _ option: String, default fallback: Int, in range: ClosedRange<Int>
  ) throws(MixingError) -> Int {
    guard let text = values[option] else { return fallback }
    guard let value = Int(text), range.contains(value) else {
      throw malformed(
        option, expected: "a whole number in [\(range.lowerBound), \(range.upperBound)]")
    }
    return value
  }

  /// Returns true or false, or `fallback` where the option is left out.
  package func flag(_ option: String, default fallback: Bool) throws(MixingError) -> Bool {
    switch values[option] {
    case nil: return fallback
    case "true"?: return true
    case "false"?: return false
    default: throw malformed(option, expected: "true or false")
    }
  }

  /// Returns one of the cases of a type by its raw value, or `fallback` where the option is left
  /// out.
  package func choice<Value: RawRepresentable<String> & CaseIterable>(
    _ option: String, default fallback: Value
  ) throws(MixingError) -> Value {
    guard let text = values[option] else { return fallback }
    guard let value = Value(rawValue: text) else {
      throw malformed(
        option, expected: "one of " + Value.allCases.map(\.rawValue).joined(separator: ", "))
    }
    return value
  }

  /// Returns the value of an option that may not be left out.
  package func required(_ option: String) throws(MixingError) -> String {
    guard let value = values[option] else {
      throw .missingOption(policy: policy, option: option)
    }
    return value
  }

  /// The error for an option whose value is none of what is `expected`.
  package func malformed(_ option: String, expected: String) -> MixingError {
    .malformedOption(
      policy: policy, option: option, value: values[option] ?? "", expected: expected)
  }

  /// A bound without the fraction where it is whole.
  private static func text(_ value: Double) -> String {
    Int(exactly: value).map(String.init) ?? "\(value)"
  }
}
