internal import Corpora

/// Megatron's `.idx` and `.bin`.
let megatronParser = FuzzedParser(
  name: "megatron", words: ["MMIDIDX\0\0\u{1}"],
  seeds: { _ in
    [(UInt8(8), 2), (4, 4), (1, 1), (5, 8)].map { code, size in
      let index = FormatFiles.megatronIndex(
        lengths: [2, 0, 1], code: code, tokenByteCount: size)
      let tokens = [UInt8(1), 2, 3].flatMap { [$0] + [UInt8](repeating: 0, count: size - 1) }
      return [code == 4 ? 3 : 1, 0, UInt8(index.count), 0] + index + tokens
    }
  },
  read: { input, folder in
    var input = input
    let options = FuzzOptions(rawValue: input.byte())
    let width = options.width
    let size = input.choice(of: width == .uint16 ? [65_536, 300, 3, 1] : [1 << 31, 70_000])
    let index = input.take(Int(input.number(UInt16.self)))
    var data = Array(input.rest)
    if options.contains(.repairs) {
      // As many bytes as the sequences take.
      let count = Int(clamping: index.number(at: 18, UInt64.self) ?? 0)
      let tokenByteCount = [1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 8: 2][index.number(at: 17, UInt8.self)]
      var sum = 0
      for sequence in 0..<min(4096, count) {
        sum += min(4096, Int(index.number(at: 34 + 4 * sequence, UInt32.self) ?? 0))
      }
      data = Array(data.prefix(sum * (tokenByteCount ?? 1)))
      data += [UInt8](repeating: 0, count: sum * (tokenByteCount ?? 1) - data.count)
    }
    folder.write(index, to: "m.idx")
    folder.write(data, to: "m.bin")
    let prefix = folder.path + "/m"
    let found = try MegatronIndex.read(prefix: prefix, domain: "fuzz")
    expect(found.tokenCount * found.type.byteCount == data.count, "the tokens fill the file")
    expect(found.sequenceCount >= 0 && found.documentCount >= 0, "counts are counts")
    let tokenizer = TokenizerDescription(name: "f", vocabularySize: size, endOfText: size - 1)
    let shard = try MegatronShard(
      prefix: prefix, index: found, tokenizer: tokenizer, domain: "fuzz")
    var whole = [UInt8](repeating: 0, count: found.tokenCount * width.byteCount)
    try whole.withUnsafeMutableBytes {
      try shard.read(0..<found.tokenCount, into: $0, width: width)
    }
    for position in 0..<found.tokenCount {
      let token = whole.withUnsafeBytes { width.token(at: position, of: $0) }
      expect(Int(token) < size, "a token is of the vocabulary")
    }
    let middle = found.tokenCount / 2
    var half = [UInt8](repeating: 0, count: (found.tokenCount - middle) * width.byteCount)
    try half.withUnsafeMutableBytes {
      try shard.read(middle..<found.tokenCount, into: $0, width: width)
    }
    expect(half.elementsEqual(whole.suffix(half.count)), "a range gives what the whole gives")
  })
