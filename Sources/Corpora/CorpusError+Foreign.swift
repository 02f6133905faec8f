extension CorpusError {
  /// The text of an error about files of another program's format; empty for any other.
  var foreignText: String {
    switch self {
    case .mdsIndex(let path, let shard, let fault):
      path + (shard.map { ", shard \($0)" } ?? "") + ": \(fault)"
    case .mdsColumn(let path, let column, let fault):
      "\(path), column \"\(column)\": \(fault)"
    case .mdsDamaged(let place, let sample, let byteOffset, let fault):
      "\(place): " + (sample.map { "sample \($0)" } ?? "the shard")
        + " is damaged at byte \(byteOffset) of its content: \(fault). Copy or write the shard "
        + "again."
    case .foreignToken(let place, let sample, let byteOffset, let token, let vocabularySize):
      "\(place): " + (sample.map { "sample \($0)" } ?? "it")
        + " has the token \(token) at byte \(byteOffset) of the content, "
        + "which a vocabulary of \(vocabularySize) does not have. Name the tokenizer that made "
        + "the tokens, and the integers as which they are stored."
    case .hashDiffers(let place, let algorithm, let recorded, let found):
      "\(place): its \(algorithm.rawValue) is \(found), not \(recorded) as its index records. It was "
        + "damaged or replaced; copy or write the shard again."
    case .megatronDamaged(let place, let byteOffset, let fault):
      "\(place): the index is damaged at byte \(byteOffset): \(fault). Copy or write both files again."
    default: ""
    }
  }
}
