internal import Mixing

/// The policies and their options as a page of text.
enum PolicyText {
  static func list(_ registry: PolicyRegistry) -> String {
    let parts = registry.entries.map { entry in
      "\(entry.name): \(entry.summary)\n" + table(entry.options)
    }
    return parts.joined(separator: "\n\n")
      + "\n\nEvery policy takes these, too; they bound its mixtures:\n"
      + table(PolicyRegistry.boundsOptions)
      + "\n\nAn option is given as --option NAME=VALUE. --mixture is short for mixture, weights or "
      + "file."
  }

  private static func table(_ options: [String: String]) -> String {
    let width = options.keys.map(\.count).max() ?? 0
    return options.sorted { $0.key < $1.key }
      .map { name, meaning in
        "  \(name)\(String(repeating: " ", count: width - name.count))  \(meaning)"
      }
      .joined(separator: "\n")
  }
}
