#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif
#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

extension CorpusError: CustomStringConvertible {
  /// What happened, where, and what to do about it.
  public var description: String {
    switch self {
    case .cannotOpen(let path, let code):
      "cannot open \(path): \(systemText(code)). Check the path and its permissions."
    case .cannotRead(let path, let byteOffset, let code):
      "cannot read \(path) at byte \(byteOffset): \(systemText(code)). The disk or the network "
        + "file system may be failing; read the file with another program, then try again."
    case .timedOut(let stall): stall.description
    case .readsHang(let path, let count):
      "\(path) was not looked at: \(count) calls for files have not come back, and no other is begun "
        + "before one does. The disk or the network file system hangs; mend it, or open anew."
    case .endsEarly(let path, let byteOffset, let byteCount, let fileByteCount):
      "\(path) ends at byte \(fileByteCount), but \(byteCount) bytes at \(byteOffset) belong to "
        + "it: the file is truncated. Copy or pack it again."
    case .cannotWrite(let path, let byteOffset, let code):
      "cannot write \(path) at byte \(byteOffset): \(systemText(code)). Nothing was replaced; "
        + "make room or choose another folder, then run the same command again."
    case .cannotRename(let path, let newPath, let code):
      "cannot rename \(path) to \(newPath): \(systemText(code)). Both must lie on one file system "
        + "that you may write to."
    case .tooLarge(let path, let byteCount, let limit):
      "\(path) has \(byteCount) bytes; a file of its kind has at most \(limit). Is it the right file?"
    case .malformedJSON(let path, let underlying):
      "\(path) is not what it should be: \(explanation(underlying)). Make it again, or mend it by hand."
    case .compressionFailed(let code):
      "libzstd failed with code \(code). The machine may be out of memory."
    case .document(let fault, let place):
      "\(place): \(fault). Mend the file, or pack with `--on-bad-document skip`, which counts such "
        + "documents and leaves them out."
    case .textFrame(let fault, let path, let frame, let byteOffset):
      "\(path): zstd frame \(frame) is damaged near byte \(byteOffset) of the file: \(fault). "
        + "Copy or make the file again."
    case .packing(let fault): fault.description
    case .tooLittleText(let domain, let sequenceLength):
      "no file of domain \(domain) has \(sequenceLength + 1) tokens, which one sequence takes. Take a "
        + "shorter sequence length, or pack the domain, which joins small files."
    case .export(let fault): fault.description
    case .unsupportedFormat, .manifestValue, .manifestName, .unsafePath,
      .fingerprintDiffers, .unknownDomain, .spec:
      manifestText
    case .shardDiffers, .shardChecksum, .frameUnreadable, .indexDamaged,
      .frameDamaged:
      shardText
    case .mdsIndex, .mdsColumn, .mdsDamaged, .foreignToken, .hashDiffers, .megatronDamaged:
      foreignText
    }
  }

  /// The text of an error about what a manifest says; empty for any other.
  private var manifestText: String {
    switch self {
    case .unsupportedFormat(let path, let field, let found, let supported):
      "\(path) has \(field) \(found); this program reads \(supported). Pack it again or use the "
        + "program that made it."
    case .manifestValue(let path, let field, let value, let allowed):
      "\(path): \(field) is \(value), but must lie in \(allowed.lowerBound)…\(allowed.upperBound)."
    case .manifestName(let path, let field, let name):
      "\(path): \(field) \"\(name)\" is empty, repeated or not a plain name (letters, digits, "
        + "'.', '_', '-', at most 128, no leading '.')."
    case .unsafePath(let path, let entry):
      "\(path) names the file \"\(entry)\", which is absolute or leaves the corpus folder. "
        + "A corpus may only name files below itself."
    case .fingerprintDiffers(let path, let domain, let recorded, let computed):
      "\(path): domain \(domain) records the fingerprint \(recorded), but its shards have "
        + "\(computed): the manifest was changed by hand or is damaged. Pack the domain again."
    case .spec(let path, let domain, let fault):
      "\(path), domain \(domain): \(fault)."
    case .unknownDomain(let name, let known):
      "the corpus has no domain \"\(name)\"; it has \(known.joined(separator: ", "))."
    default: ""
    }
  }

  /// The text of an error about a shard; empty for any other.
  private var shardText: String {
    switch self {
    case .shardDiffers(let place, let field, let recorded, let found):
      "\(place) is not the shard that the manifest records: its \(field) is \(found), not "
        + "\(recorded). It was replaced, truncated or damaged; copy or pack it again."
    case .shardChecksum(let place, let recorded, let found):
      "\(place) is not the shard that the manifest records: its checksum is "
        + "\(XXHash.text(found)), not \(XXHash.text(recorded)). Another shard stands in its place; "
        + "copy or pack it again."
    case .frameUnreadable(let place, let frame, let underlying):
      "domain \(place.domain), frame \(frame): \(underlying)"
    case .indexDamaged(let place, let byteOffset, let fault):
      "\(place): the index at byte \(byteOffset) is damaged: \(fault). Copy or pack the shard again."
    case .frameDamaged(let place, let frame, let byteOffset, let fault):
      "\(place): frame \(frame) at byte \(byteOffset) is damaged: \(fault). Copy or pack the shard "
        + "again; `headrace verify` lists every damaged frame."
    default: ""
    }
  }

  /// The operating system's words for an errno.
  private func systemText(_ code: Int32) -> String {
    String(cString: strerror(code)) + " (errno \(code))"
  }
}

extension ShardPlace: CustomStringConvertible {
  /// The domain and the path.
  public var description: String { "domain \(domain), shard \(path)" }
}

extension IndexFault: CustomStringConvertible {
  /// What is wrong, without the place.
  public var description: String {
    switch self {
    case .missing(let fileByteCount):
      "a file of \(fileByteCount) bytes holds none"
    case .footer(let found):
      "the file ends with 0x\(String(found, radix: 16)) in place of a seek table's footer"
    case .length(let recorded, let allowed):
      "it records a length of \(recorded), but only \(allowed.lowerBound)…\(allowed.upperBound) fits"
    case .magic(let expected, let found):
      "it begins with 0x\(String(found, radix: 16)), not with 0x\(String(expected, radix: 16))"
    case .version(let found, let supported):
      "it has version \(found); this program reads version \(supported)"
    case .checksum(let recorded, let computed):
      "its checksum is \(XXHash.text(computed)), not \(XXHash.text(recorded))"
    case .contradiction(let field, let expected, let found):
      "its \(field) is \(found), where \(expected) must stand"
    }
  }
}

extension FrameFault: CustomStringConvertible {
  /// What is wrong, without the place.
  public var description: String {
    switch self {
    case .zstd(let name): "libzstd says \"\(name)\""
    case .truncated(let fileByteCount): "the file ends at byte \(fileByteCount)"
    case .byteCount(let recorded, let found): "it holds \(found) bytes, not \(recorded)"
    case .hash(let recorded, let found):
      "its bytes have the hash \(XXHash.text(found)), not \(XXHash.text(recorded))"
    case .checksum(let recorded, let found):
      "its checksum is 0x\(String(found, radix: 16)), not 0x\(String(recorded, radix: 16))"
    case .firstToken(let recorded, let found): "its first token is \(found), not \(recorded)"
    case .token(let position, let token, let vocabularySize):
      "token \(position) is \(token), which a vocabulary of \(vocabularySize) does not have"
    case .documentCount(let recorded, let found):
      "\(found) documents end in it, not \(recorded)"
    }
  }
}

/// The place and the reason of a decoding or encoding error, in words.
private func explanation(_ error: any Error) -> String {
  switch error {
  case DecodingError.dataCorrupted(let context):
    let text = at(context.codingPath, context.debugDescription)
    guard let underlying = context.underlyingError else { return text }
    return text + " (\(underlying))"
  case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
    return at(context.codingPath, context.debugDescription)
  case DecodingError.keyNotFound(let key, let context):
    return at(context.codingPath + [key], "missing")
  case EncodingError.invalidValue(_, let context):
    return at(context.codingPath, context.debugDescription)
  default: return "\(error)"
  }
}

/// A reason after the place that it speaks of, such as `domains[0].inputs`.
private func at(_ path: [any CodingKey], _ reason: String) -> String {
  var place = ""
  for key in path {
    if let index = key.intValue {
      place += "[\(index)]"
    } else {
      place += (place.isEmpty ? "" : ".") + key.stringValue
    }
  }
  let reason = reason.hasSuffix(".") ? String(reason.dropLast()) : reason
  return place.isEmpty ? reason : "\(place): \(reason)"
}
