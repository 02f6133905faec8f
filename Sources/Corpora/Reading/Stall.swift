/// Something that did not come to an end in time: what it was, and where.
public struct Stall: Sendable, Equatable {
  /// What is waited for while a domain is read.
  public enum Stage: String, Sendable, Codable, CaseIterable {
    /// A file to open, and a shard's index to be read.
    case opening
    /// Bytes of a file.
    case reading
    /// A shard to be compared with its recorded hashes.
    case verifying
    /// Bytes to become tokens.
    case decoding
    /// A decode thread of which nothing else is known.
    case waiting
  }

  /// What did not come to an end.
  public var stage: Stage
  /// The domain's name; nil if the file is no shard.
  public var domain: String?
  /// The file.
  public var path: String
  /// The frame, counted from 0; nil if it is none's, or the format has none.
  public var frame: Int?
  /// Where the bytes lie in the file that are waited for; nil if nothing is known of them.
  public var byteOffset: Int?
  /// How long it was waited for, in milliseconds.
  public var timeoutInMilliseconds: Int

  /// Names what did not come to an end.
  public init(
    _ stage: Stage, domain: String? = nil, path: String, frame: Int? = nil,
    byteOffset: Int? = nil, timeoutInMilliseconds: Int
  ) {
    self.stage = stage
    self.domain = domain
    self.path = path
    self.frame = frame
    self.byteOffset = byteOffset
    self.timeoutInMilliseconds = timeoutInMilliseconds
  }
}

extension Stall: CustomStringConvertible {
  /// What happened, where, and what to do about it.
  public var description: String {
    let places = [
      domain.map { "domain \($0)" }, domain == nil ? path : "shard \(path)",
      frame.map { "frame \($0)" }, byteOffset.map { "byte \($0)" },
    ]
    return "\(places.compactMap(\.self).joined(separator: ", ")): \(stage.text) within \(time). "
      + stage.remedy
  }

  private var time: String {
    timeoutInMilliseconds % 1000 == 0
      ? "\(timeoutInMilliseconds / 1000) s" : "\(timeoutInMilliseconds) ms"
  }
}

extension Stall.Stage {
  fileprivate var text: String {
    switch self {
    case .opening: "opening the file did not come back"
    case .reading: "a read did not come back"
    case .verifying: "a read did not come back while the shard was being verified"
    case .decoding: "a decode thread did not get on with decoding"
    case .waiting: "a decode thread did not get on"
    }
  }

  fileprivate var remedy: String {
    switch self {
    case .opening, .reading, .verifying:
      "The disk or the network file system hangs; once it is mended, the same call may be tried "
        + "again, or the run resumed from its last checkpoint."
    case .decoding, .waiting:
      "The machine may be overloaded, or the tokenizer hang; try again, or set a longer timeout."
    }
  }
}

extension CorpusError {
  /// What did not come to an end in time, if that is the error.
  package var stall: Stall? {
    if case .timedOut(let stall) = self { stall } else { nil }
  }

  /// The same error; of a stall it says more exactly what and where.
  package func naming(_ stage: Stall.Stage? = nil, domain: String, frame: Int? = nil) -> CorpusError
  {
    guard var stall else { return self }
    stall.stage = stage ?? stall.stage
    stall.domain = domain
    stall.frame = frame ?? stall.frame
    return .timedOut(stall)
  }
}
