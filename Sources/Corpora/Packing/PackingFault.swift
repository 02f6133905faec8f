/// Why packing did not make a corpus, where neither a document nor a disk is to blame.
public enum PackingFault: Sendable, Equatable {
  /// An option lies outside what is allowed.
  case option(name: String, value: String, allowed: String)
  /// A plan holds a key that no plan has.
  case unknownKey(path: String, key: String, known: [String])
  /// No tokenizer has that name.
  case unknownTokenizer(name: String, known: [String])
  /// The plan names no domain.
  case noDomains
  /// The plan names more domains than a mixture can have.
  case tooManyDomains(count: Int, limit: Int)
  /// A domain's name cannot be a folder's name, or another domain has it (upper and lower case are
  /// the same).
  case domainName(String)
  /// None of a domain's inputs is a file that it includes.
  case noFiles(domain: String)
  /// A domain's files hold no document that is not empty.
  case noDocuments(domain: String)
  /// All of a domain's documents fell into the held-out split.
  case nothingToTrainOn(domain: String, documentCount: Int)
  /// An input is neither a file nor a folder.
  case notAFile(path: String)
  /// An input was changed since its size and time were noted.
  case inputChanged(path: String)
  /// The name of a file that is to be packed is not UTF-8; the path has `\xHH` in place of its
  /// bytes.
  case nameNotUTF8(path: String)
  /// The tokenizer's vocabulary is empty, too large, or does not hold its end-of-text.
  case vocabulary(tokenizer: String, vocabularySize: Int, endOfText: UInt32)
  /// The tokenizer gave a token that its vocabulary does not have, or an end-of-text within a
  /// document.
  case token(tokenizer: String, token: UInt32, at: TextPlace)
  /// The memory bound does not hold what is needed at once.
  case memory(byteCount: Int, least: Int)
  /// Something stands at the output path that this plan did not make.
  case outputExists(path: String)
  /// What is to be replaced is not a corpus.
  case outputNotCorpus(path: String)
  /// A folder that would be replaced or gone on with holds what packing did not make.
  case foreignFile(path: String)
  /// Another process is packing to the same place.
  case locked(path: String)
  /// An intermediate file does not hold what was written to it.
  case bucketDamaged(path: String, byteOffset: Int)
  /// The caller asked for a stop; the folder at `path` lets the next run go on.
  case interrupted(path: String)
}

extension PackingFault: CustomStringConvertible {
  /// What is wrong with a token, without its place.
  static func foreign(_ token: UInt32, of tokenizer: String) -> String {
    "the tokenizer \(tokenizer) gave the token \(token), which is end-of-text or not in its "
      + "vocabulary. The tokenizer is at fault."
  }

  /// What happened, where, and what to do about it.
  public var description: String {
    switch self {
    case .option(let name, let value, let allowed):
      "\(name) is \(value), but must be \(allowed)."
    case .unknownKey(let path, let key, let known):
      "\(path): a plan has no \"\(key)\" there; it has \(known.joined(separator: ", "))."
    case .unknownTokenizer(let name, let known):
      "there is no tokenizer \"\(name)\"; there is \(known.joined(separator: ", "))."
    case .noDomains:
      "there is no domain to pack. Name one with `--domain NAME=PATH`."
    case .tooManyDomains(let count, let limit):
      "the plan has \(count) domains; a mixture has at most \(limit). Join some of them."
    case .domainName(let name):
      "the domain name \"\(name)\" is repeated (upper and lower case are the same), reserved, or "
        + "not a plain name (letters, digits, '.', '_', '-', at most 128, no leading '.')."
    case .noFiles(let domain):
      "domain \(domain): none of its inputs is a file that it includes. Check the paths and the "
        + "include patterns."
    case .noDocuments(let domain):
      "domain \(domain): its files hold no documents. Leave the domain out, or check the files."
    case .nothingToTrainOn(let domain, let documentCount):
      "domain \(domain): all of its documents (\(documentCount)) fell into the held-out split. "
        + "Give it more documents, a smaller held-out fraction or another seed."
    case .notAFile(let path):
      "\(path) is neither a file nor a folder. Name text files, .jsonl, .jsonl.zst or folders."
    case .inputChanged(let path):
      "\(path) was changed while it was being packed. Run the command again when it is at rest."
    case .nameNotUTF8(let path):
      "\(path) has a name that is not UTF-8. Rename the file, or leave it out with `--include`."
    case .vocabulary(let tokenizer, let vocabularySize, let endOfText):
      "the tokenizer \(tokenizer) has a vocabulary of \(vocabularySize) and the end-of-text "
        + "\(endOfText); a vocabulary has 1 to \(PackPlan.vocabularyLimit) tokens and holds its "
        + "end-of-text. The tokenizer is at fault."
    case .token(let tokenizer, let token, let place):
      "\(place): \(Self.foreign(token, of: tokenizer))"
    case .memory(let byteCount, let least):
      "\(byteCount) bytes of memory are too little; these options need at least \(least). Allow "
        + "more memory or a smaller maximum document."
    case .outputExists(let path):
      "\(path) exists and is not a corpus that this plan made. Choose another output, or replace it "
        + "with `--force`."
    case .outputNotCorpus(let path):
      "\(path) is not a corpus, so it is not replaced. Choose another output, or remove it yourself."
    case .foreignFile(let path):
      "\(path) was not made by packing, so the folder that holds it is neither replaced nor gone "
        + "on with. Move it away, or choose another output."
    case .locked(let path):
      "another process is packing to \(path). Wait for it, or choose another output."
    case .bucketDamaged(let path, let byteOffset):
      "\(path) does not hold at byte \(byteOffset) what was written there. The disk may be failing; "
        + "remove the .partial folder and pack again."
    case .interrupted(let path):
      "packing was stopped. What is done is kept in \(path); the same command goes on from there."
    }
  }
}
