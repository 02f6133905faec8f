/// What is answered where a file of another program's stands in a corpus's place.
enum SpecExample {
  /// The refusal, with a spec that names what stands there.
  static func refusal(of path: String, _ kind: String, _ domain: String) -> ToolFailure {
    ToolFailure(
      """
      \(path) is \(kind), which does not say what made its tokens. Write a spec beside it and give \
      the spec's path, such as spec.json with

        {"format": "headrace-spec", "version": 1, "name": "mine",
         "tokenizer": {"name": "gpt2", "vocabulary_size": 50257, "end_of_text": 50256},
         "domains": [\(domain)]}
      """)
  }

  /// A domain of the shards in a folder.
  static func mds(_ folder: String) -> String {
    let path = folder.hasPrefix("/") ? folder : name(of: folder)
    return #"{"name": "web", "format": "mds", "train": ["\#(path)"], "column": "tokens"}"#
  }

  /// A domain of a prefix's files.
  static func megatron(_ prefix: String) -> String {
    let path = prefix.hasPrefix("/") ? prefix : name(of: prefix)
    return #"{"name": "web", "format": "megatron", "train": ["\#(path)"]}"#
  }

  /// The last part of a path: what the spec beside it names.
  private static func name(of path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }
}
