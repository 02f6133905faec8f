/// A share of a domain's files that one thread reads.
package struct Portion: Sendable, Equatable {
  /// The files, as places in the domain's list.
  package let files: Range<Int>
  /// Where lines of the one file begin that belong to the portion; nil for whole files.
  package let bytes: Range<Int>?
  /// How much there is to read.
  package let byteCount: Int

  /// Plain files of lines are cut into ranges of this size.
  package static let rangeByteCount = 64 << 20
  /// Small files are taken together up to this size and number.
  static let togetherByteCount = 32 << 20
  static let togetherFileCount = 1024

  /// Cuts `files` into portions, in input order.
  package static func portions(
    of files: [InputFile], rangeByteCount: Int = Portion.rangeByteCount
  ) -> [Portion] {
    var portions: [Portion] = []
    var first = 0
    var byteCount = 0
    func close(at end: Int) {
      if end > first {
        portions.append(Portion(files: first..<end, bytes: nil, byteCount: byteCount))
      }
      first = end
      byteCount = 0
    }
    for (index, file) in files.enumerated() {
      if file.format == .lines, file.byteCount > rangeByteCount {
        close(at: index)
        for start in stride(from: 0, to: file.byteCount, by: rangeByteCount) {
          let end = min(start + rangeByteCount, file.byteCount)
          portions.append(
            Portion(files: index..<index + 1, bytes: start..<end, byteCount: end - start))
        }
        first = index + 1
        continue
      }
      if byteCount + file.byteCount > togetherByteCount || index - first >= togetherFileCount {
        close(at: index)
      }
      byteCount += file.byteCount
    }
    close(at: files.count)
    return portions
  }
}
