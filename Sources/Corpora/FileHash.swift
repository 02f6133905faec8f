internal import CKernels
internal import Crypto

/// A hash that other programs record of a file.
public enum HashAlgorithm: String, Sendable, CaseIterable {
  // In the order in which one is chosen where several are recorded: XXH64 costs a twentieth of the
  // others and finds damage as well; nothing here guards against an attacker, who could change the
  // record too.
  case xxh64, sha1, sha256, sha512, sha384, md5

  /// Returns the algorithm to verify with where `names` are recorded; nil if none is known.
  package static func best(of names: some Sequence<String>) -> HashAlgorithm? {
    let names = Set(names.map { $0.lowercased() })
    return allCases.first { names.contains($0.rawValue) }
  }
}

/// A hash of bytes that come in pieces.
package struct RunningHash {
  private enum Function {
    case xxh64(headrace_xxh64_state)
    case sha1(Insecure.SHA1)
    case sha256(SHA256)
    case sha384(SHA384)
    case sha512(SHA512)
    case md5(Insecure.MD5)
  }

  private var function: Function

  /// Begins a hash.
  package init(_ algorithm: HashAlgorithm) {
    switch algorithm {
    case .xxh64:
      var state = headrace_xxh64_state()
      headrace_xxh64_begin(&state, 0)
      function = .xxh64(state)
    case .sha1: function = .sha1(Insecure.SHA1())
    case .sha256: function = .sha256(SHA256())
    case .sha384: function = .sha384(SHA384())
    case .sha512: function = .sha512(SHA512())
    case .md5: function = .md5(Insecure.MD5())
    }
  }

  /// Adds the next bytes.
  package mutating func add(_ bytes: UnsafeRawBufferPointer) {
    switch function {
    case .xxh64(var state):
      headrace_xxh64_add(&state, bytes.baseAddress, bytes.count)
      function = .xxh64(state)
    case .sha1(let hash): function = .sha1(Self.adding(bytes, to: hash))
    case .sha256(let hash): function = .sha256(Self.adding(bytes, to: hash))
    case .sha384(let hash): function = .sha384(Self.adding(bytes, to: hash))
    case .sha512(let hash): function = .sha512(Self.adding(bytes, to: hash))
    case .md5(let hash): function = .md5(Self.adding(bytes, to: hash))
    }
  }

  private static func adding<Hash: HashFunction>(
    _ bytes: UnsafeRawBufferPointer, to hash: Hash
  ) -> Hash {
    var hash = hash
    hash.update(bufferPointer: bytes)
    return hash
  }

  /// The hash of all bytes that were added, in lowercase hexadecimal digits.
  package var text: String {
    switch function {
    case .xxh64(var state): XXHash.text(headrace_xxh64_end(&state))
    case .sha1(let hash): Self.text(hash.finalize())
    case .sha256(let hash): Self.text(hash.finalize())
    case .sha384(let hash): Self.text(hash.finalize())
    case .sha512(let hash): Self.text(hash.finalize())
    case .md5(let hash): Self.text(hash.finalize())
    }
  }

  private static func text(_ digest: some Digest) -> String {
    var text = ""
    for byte in digest {
      text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
    return text
  }
}

extension FileReader {
  /// Returns the hash of the whole file, in lowercase hexadecimal digits.
  ///
  /// - Complexity: O(bytes) time; a buffer of 256 KiB.
  package func hash(_ algorithm: HashAlgorithm, _ activity: ReadActivity? = nil)
    throws(CorpusError) -> String
  {
    var hash = RunningHash(algorithm)
    let buffer = TextBuffer(capacity: 1 << 18)
    var position = 0
    while position < byteCount {
      let piece = UnsafeMutableRawBufferPointer(
        start: buffer.base, count: min(buffer.capacity, byteCount - position))
      activity?.advance(to: position)
      try read(into: piece, at: position)
      hash.add(UnsafeRawBufferPointer(piece))
      position += piece.count
    }
    return hash.text
  }
}
