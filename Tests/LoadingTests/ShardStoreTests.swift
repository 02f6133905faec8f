import Corpora
import HeadraceTesting
import Loading
import Mixing
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A shard that is opened again is verified again if another file stands there by then, or the same
/// one was changed; and only then.
@Suite(.timeLimit(.minutes(5)))
struct ShardStoreTests {
  private let activity = ReadActivity()

  private static func folder(_ format: FormatFolder.Format, byteCount: Int = 20_000) throws
    -> FormatFolder
  {
    try FormatFolder(
      format, documents: [(0..<2).map { FormatFolder.documents(byteCount: byteCount, seed: $0) }])
  }

  /// Changes one byte near the end of a file, once the clock that files are stamped by has moved.
  private static func damage(_ name: String, of folder: FormatFolder) throws {
    usleep(50_000)
    let bytes = try folder.folder.bytes(of: name)
    let place = bytes.count - 100
    #expect(folder.folder.patch(name, at: place, with: [bytes[place] ^ 0x11]))
  }

  private func isHashDifferent(_ error: CorpusError?) -> Bool {
    if case .hashDiffers = error { true } else { false }
  }

  /// Opens a shard after another took its place among the open ones.
  private func reopen(_ store: ShardStore) throws(CorpusError) {
    _ = try store.tokenShard(domain: 0, shard: 1, activity)
    _ = try store.tokenShard(domain: 0, shard: 0, activity)
  }

  @Test("a shard that was changed, or replaced, while it was closed", arguments: [false, true])
  func changed(isReplaced: Bool) throws {
    let folder = try Self.folder(.mdsBytes)
    let name = folder.files[0][0]
    let store = ShardStore(corpus: try folder.open(), split: .train, openLimit: 1)
    _ = try store.tokenShard(domain: 0, shard: 0, activity)
    try reopen(store)
    let sound = try folder.folder.bytes(of: name)
    try Self.damage(name, of: folder)
    if isReplaced { try folder.folder.replace(name, with: folder.folder.bytes(of: name)) }
    let error = #expect(throws: CorpusError.self) { try reopen(store) }
    #expect(isHashDifferent(error))
    // What was not found whole is verified each time.
    #expect(isHashDifferent(#expect(throws: CorpusError.self) { try reopen(store) }))
    try folder.folder.replace(name, with: sound)
    try reopen(store)
  }

  @Test func `a shard that stayed the same is verified once`() throws {
    // Opening reads the first 64 KiB.
    let folder = try Self.folder(.mdsBytes, byteCount: 100_000)
    let name = folder.files[0][0]
    let files = FaultyFiles()
    let store = ShardStore(
      corpus: try folder.open(access: FileAccess(opener: files)), split: .train, openLimit: 1)
    // Counts the reads of a byte that opening does not look at.
    let byteCount = try folder.folder.bytes(of: name).count
    files.inject(.short(.max), .read(byteCount - 1..<byteCount), of: name)
    _ = try store.tokenShard(domain: 0, shard: 0, activity)
    let count = files.metCount
    #expect(count > 0)
    try reopen(store)
    #expect(files.metCount == count)
    // What a failed read has left is not trusted.
    store.close(domain: 0, shard: 0)
    try reopen(store)
    #expect(files.metCount == 2 * count)
  }

  private func loader(_ corpus: Corpus) throws -> Loader {
    try Loader(
      corpus, policy: .static(.uniform), batch: .init(rows: 1, sequenceLength: 1024), seed: 2,
      options: options { ($0.unitsPerPool, $0.threadCount, $0.byteBudget) = (1, 0, 8 << 20) })
  }

  @Test func `a stream verifies a shard again in a later epoch only if it was changed`() throws {
    let folder = try Self.folder(.mdsArrays)
    let files = FaultyFiles()
    let loader = try loader(try folder.open(access: FileAccess(opener: files)))
    let name = folder.files[0][0]
    files.inject(.short(.max), .read(0..<1), of: name)
    let rowCount = folder.tokens[0].reduce(0) { $0 + ($1.count - 1) / 1024 }
    for _ in 0..<240 { _ = try loader.next() }
    // Each epoch reads the shard's first byte once in order to decode it, and the first one once
    // more in order to verify it.
    let epochCount = (240 + rowCount - 1) / rowCount
    #expect(epochCount > 5 && (epochCount...epochCount + 1).contains(files.metCount))
    try Self.damage(name, of: folder)
    let error = #expect(throws: LoadingError.self) {
      for _ in 0..<240 { _ = try loader.next() }
    }
    guard case .corpus(let damage) = error else { throw try #require(error) }
    #expect(isHashDifferent(damage))
  }
}
