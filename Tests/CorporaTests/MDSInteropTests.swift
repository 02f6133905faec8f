import Corpora
import HeadraceTesting
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif
#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Reads what MosaicML's own writer wrote: integration/checks/mds.sh runs these with the folder.
@Suite(.timeLimit(.minutes(5)), .enabled(if: getenv("HEADRACE_MDS_CASES") != nil))
struct MDSInteropTests {
  /// What integration/mds/interop.py says of a folder of shards.
  private struct Case: Decodable {
    let name: String
    let column: String
    let storedType: StoredTokenType?
    let samples: SampleRule
    /// The tokens of all samples, laid end to end as the rule says.
    let tokens: [Int]
    let sampleTokenCount: Int?
    let hasHash: Bool
    let shardCount: Int
  }

  private static let tokenizer = TokenizerDescription(
    name: "t", vocabularySize: 65_000, endOfText: 64_999)

  @Test func everyTokenOfEveryFolderIsRead() throws {
    let folder = String(cString: try #require(getenv("HEADRACE_MDS_CASES")))
    let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/cases.json"))
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let cases = try decoder.decode([Case].self, from: data)
    #expect(cases.count > 20)
    for wanted in cases { try check(wanted, in: folder + "/" + wanted.name) }
  }

  private func check(_ wanted: Case, in folder: String) throws {
    let column = MDSColumn(
      name: wanted.column, storedType: wanted.storedType, samples: wanted.samples)
    let entries = try MDSFolder.read(folder: folder)
    #expect(entries.count == wanted.shardCount, "\(wanted.name)")
    var (streamed, ranged, total): ([Int], [Int], Int) = ([], [], 0)
    for entry in entries {
      #expect(entry.hasHash == wanted.hasHash, "\(wanted.name)")
      let stream = try MDSStream(
        entry, column: column, tokenizer: Self.tokenizer, folder: folder, domain: "d")
      try stream.verify()
      streamed += try stream.allTokens()
      let count = try entry.count(column, in: folder, domain: "d")
      total += count.tokenCount
      if let size = wanted.sampleTokenCount {
        #expect(count.sampleTokenCount == (entry.sampleCount > 0 ? size : nil), "\(wanted.name)")
      }
      guard entry.compression == nil else { continue }
      let shard = try MDSShard(
        entry, column: column, tokenizer: Self.tokenizer, folder: folder, domain: "d")
      try shard.verify()
      ranged += try shard.tokensRead(0..<shard.tokenCount)
    }
    // A Bool, so that a failure does not print a hundred thousand tokens.
    let isEqual = streamed == wanted.tokens
    #expect(isEqual, "\(wanted.name)")
    #expect(total == wanted.tokens.count, "\(wanted.name)")
    guard entries.allSatisfy({ $0.compression == nil }) else { return }
    let isEqualByRanges = ranged == wanted.tokens
    #expect(isEqualByRanges, "\(wanted.name)")
  }
}
