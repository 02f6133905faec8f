internal import Corpora
internal import Loading
internal import Mixing

/// One parser of file bytes, and what must hold of it whatever the bytes are.
package struct FuzzedParser: Sendable {
  /// The name, a folder's below `fixtures/fuzz`.
  package let name: String
  /// Words that inputs are likely to need, for libFuzzer's dictionary.
  var words: [String] = []
  /// Makes inputs to begin with; a scratch folder is given.
  let seeds: @Sendable (FuzzFolder) throws -> [[UInt8]]
  /// Reads one input; what is thrown refuses it.
  let read: @Sendable (FuzzInput, FuzzFolder) throws -> Void

  /// Every parser.
  package static let all: [FuzzedParser] =
    nativeParsers + manifestParsers + mdsParsers + [megatronParser] + textParsers + loadingParsers
    + [resumeParser] + packingParsers + policyParsers

  /// Reads one input; ends the process where something that must hold does not.
  ///
  /// - Returns: Whether the input was accepted.
  @discardableResult
  package func take(_ input: FuzzInput, in folder: FuzzFolder) -> Bool {
    do {
      try read(input, folder)
      return true
    } catch let error as CorpusError {
      expect(!"\(error)".isEmpty, "an error says something")
    } catch let error as LoadingError {
      expect(!"\(error)".isEmpty, "an error says something")
    } catch let error as MixingError {
      expect(!"\(error)".isEmpty, "an error says something")
    } catch let error as GradientError {
      expect(!"\(error)".isEmpty, "an error says something")
    } catch let error as DocumentFailure {
      expect(!"\(error.fault)".isEmpty, "an error says something")
    } catch {
      fail("an error of another type: \(error)")
    }
    return false
  }

  /// Writes the seeds and the dictionary; a seed that is not accepted as it should is a failure.
  package func writeSeeds(to folder: FuzzFolder) {
    do {
      let scratch = FuzzFolder(folder.makeFolder("scratch"))
      let inputs = try seeds(scratch)
      let target = FuzzFolder(folder.makeFolder(name))
      for (number, bytes) in inputs.enumerated() {
        try read(FuzzInput(bytes), scratch)
        target.write(bytes, to: "seed-\(number)")
      }
      scratch.remove()
      let dictionary = words.map { "\"\(Self.escaped($0))\"\n" }.joined()
      if !words.isEmpty { folder.write(Array(dictionary.utf8), to: name + ".dictionary") }
    } catch {
      fail("a seed of \(name) is refused: \(error)")
    }
  }

  /// A word as libFuzzer's dictionaries have it.
  private static func escaped(_ word: String) -> String {
    word.utf8.map {
      let isPlain = (0x20..<0x7F).contains($0) && $0 != UInt8(ascii: "\"") && $0 != 0x5C
      if isPlain { return String(UnicodeScalar($0)) }
      return "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16)
    }.joined()
  }
}

/// Ends the process, which libFuzzer takes for a find.
package func fail(_ reason: String) -> Never { fatalError(reason) }

/// Ends the process where a property does not hold.
func expect(_ condition: Bool, _ property: @autoclosure () -> String) {
  if !condition { fail("does not hold: \(property())") }
}
