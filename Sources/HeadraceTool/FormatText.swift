internal import Corpora

/// What is said of a domain's format.
enum FormatText {
  /// The format's name and what the spec says of it.
  static func name(of domain: Domain) -> String {
    switch domain.format {
    case .native: return "native"
    case .megatron: return "Megatron"
    case .jsonLines(let field): return "JSON lines, field \"\(field)\""
    case .mds(let column):
      var text = "MDS, column \"\(column.name)\""
      if let type = column.storedType { text += " of \(type.rawValue)" }
      switch column.samples {
      case .joined: break
      case .joinedWithEndOfText: text += ", end of text after each sample"
      case .sequences:
        text += ", samples are sequences"
        if let count = domain.sampleTokenCount { text += " of \(NumberText.grouped(count)) tokens" }
      }
      return text
    }
  }

  /// How the shards are read.
  static func reading(of domain: Domain) -> String {
    switch domain.format {
    case .native: "by frames"
    case .jsonLines: "as a stream, tokenized while it is read: one rank, no caps"
    case .mds, .megatron: domain.isStreamed ? "as streams, shard after shard" : "by ranges"
    }
  }

  /// A table of the formats, or nil where all domains are native.
  static func table(of corpus: Corpus) -> TextTable? {
    guard corpus.domains.contains(where: { $0.format != .native }) else { return nil }
    var table = TextTable([("domain", .left), ("format", .left), ("read", .left)])
    for domain in corpus.domains {
      table.append([domain.name, name(of: domain), reading(of: domain)])
    }
    return table
  }

  /// A count of what text holds, which nobody knows before it is read.
  static func counted(_ count: Int, of domain: Domain) -> String {
    domain.isOpenEnded ? "unknown until read" : NumberText.grouped(count)
  }
}
