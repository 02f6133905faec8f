/// The policies that can be asked for by name, with the options each takes.
///
/// A value, not a global: a program that has a policy of its own adds it to a copy of ``builtIn``.
/// Every policy also takes the options of ``MixtureBounds``, ``boundsOptions``, and is wrapped in a
/// ``BoundedPolicy`` if one of them is given.
public struct PolicyRegistry: Sendable {
  /// One policy that can be asked for.
  public struct Entry: Sendable {
    /// The name on the command line.
    public let name: String
    /// One sentence for the list of policies.
    public let summary: String
    /// What each option means, by its name.
    public let options: [String: String]
    /// What options that are not given are for a policy whose learning is handed on.
    let savingDefaults: @Sendable ([String: String]) -> [String: String]
    /// Makes the recipe; it is given known options only.
    let make: @Sendable ([String: String]) throws(MixingError) -> PolicyRecipe

    /// Creates an entry.
    ///
    /// - Parameters:
    ///   - name: the name on the command line, unique in a registry.
    ///   - summary: one sentence for the list of policies.
    ///   - options: what each option means, by its name; none of ``boundsOptions``, which are not
    ///     given to `make`.
    ///   - make: makes the recipe from option values; it is given options of this list only.
    ///   - savingDefaults: from the given options, others by which what is learned is of use to a
    ///     frozen run; see ``PolicyRegistry/optionsForSaving(named:options:)``.
    public init(
      name: String, summary: String, options: [String: String],
      make: @escaping @Sendable ([String: String]) throws(MixingError) -> PolicyRecipe,
      savingDefaults: @escaping @Sendable ([String: String]) -> [String: String] = { _ in [:] }
    ) {
      self.name = name
      self.summary = summary
      self.options = options
      self.make = make
      self.savingDefaults = savingDefaults
    }
  }

  /// The policies, sorted by name.
  public private(set) var entries: [Entry] = []

  /// What the options mean that every policy takes beside its own, by name.
  public static let boundsOptions = MixtureBounds.optionMeanings

  /// Creates a registry without policies.
  public init() {}

  /// Every policy that comes with Headrace.
  public static let builtIn: PolicyRegistry = {
    var registry = PolicyRegistry()
    registry.entries = [
      .actorCritic,
      AlignmentPolicy.entry,
      Entry(
        name: ManualPolicy.name, summary: "The calling program sets the mixture.",
        options: StaticMixture.optionMeanings
      ) { options throws(MixingError) in
        .manual(try StaticMixture(options: options, ofPolicy: ManualPolicy.name))
      },
      BanditPolicy.entry,
      SchedulePolicy.entry,
      Entry(
        name: StaticPolicy.name, summary: "One mixture for the whole run.",
        options: StaticMixture.optionMeanings
      ) { options throws(MixingError) in
        .static(try StaticMixture(options: options, ofPolicy: StaticPolicy.name))
      },
    ]
    return registry
  }()

  /// The names of all policies, sorted.
  public var names: [String] { entries.map(\.name) }

  /// The options that name a file, whatever the policy: a run keeps a copy of it.
  public static let pathOptions: Set<String> = ["file", "from", "ledger"]

  /// Adds a policy.
  ///
  /// - Parameter entry: the policy.
  /// - Throws: ``MixingError/duplicatePolicy(name:)``.
  public mutating func register(_ entry: Entry) throws(MixingError) {
    guard !names.contains(entry.name) else { throw .duplicatePolicy(name: entry.name) }
    entries.append(entry)
    entries.sort { $0.name < $1.name }
  }

  /// Returns the options by which a policy learns what a frozen run can use without gradients.
  ///
  /// - Parameters:
  ///   - name: the policy's name.
  ///   - options: what is given; it is changed in nothing.
  /// - Returns: the values for options that were left open; empty where none is of matter.
  public func optionsForSaving(
    named name: String, options: [String: String]
  ) -> [String: String] {
    guard let entry = entries.first(where: { $0.name == name }) else { return [:] }
    return entry.savingDefaults(options).filter { options[$0.key] == nil }
  }

  /// Returns the recipe of a policy that is asked for by name.
  ///
  /// - Parameters:
  ///   - name: the policy's name.
  ///   - options: values by option name; what is left out has its default.
  /// - Returns: the recipe. Nothing that depends on a corpus has been checked yet.
  /// - Throws: ``MixingError/unknownPolicy(name:near:known:)``,
  ///   ``MixingError/unknownOption(policy:option:near:known:)``,
  ///   ``MixingError/missingOption(policy:option:)`` or
  ///   ``MixingError/malformedOption(policy:option:value:expected:)``.
  public func recipe(
    named name: String, options: [String: String] = [:]
  ) throws(MixingError) -> PolicyRecipe {
    guard let entry = entries.first(where: { $0.name == name }) else {
      throw .unknownPolicy(name: name, near: NearNames.of(name, in: names), known: names)
    }
    let known = entry.options.merging(Self.boundsOptions) { $1 }
    // The least unknown option, so that the error does not depend on the dictionary's order.
    if let option = options.keys.filter({ known[$0] == nil }).min() {
      let names = known.keys.sorted()
      throw .unknownOption(
        policy: name, option: option, near: NearNames.of(option, in: names), known: names)
    }
    let bounds = try MixtureBounds(
      options: options.filter { Self.boundsOptions[$0.key] != nil }, ofPolicy: name)
    return try entry.make(options.filter { Self.boundsOptions[$0.key] == nil }).bounded(by: bounds)
  }
}
