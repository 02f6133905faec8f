internal import Kernels

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// What a policy has learned in one run, for other runs to start from.
///
/// Unlike a checkpoint it knows nothing of the run's steps: it holds what makes sense in another
/// run, with another model and, where the policy allows it, other domains. As a file:
///
///     offset  0   8 bytes   "hrpolicy"
///             8   UInt32    version, 1
///            12   UInt32    J, the bytes of the JSON
///            16   UInt64    A, the bytes of the arrays
///            24   J bytes   JSON: policy, domains, fields
///        24 + J   A bytes   the packed arrays of the fields
///    24 + J + A   UInt64    XXH64 of all bytes before
///
/// Integers are little-endian.
///
/// Source: none; AC-ODM's proxy mode needs something of the kind.
///
/// Departures from the source: none.
public struct SavedPolicy: Sendable, Equatable {
  /// The ``MixturePolicy/name`` of the policy that learned.
  public let policy: String

  /// The domains that it learned on `[domain]`, in the order of its mixture.
  public let domainNames: [String]

  /// What the policy stores, as UTF-8 JSON.
  let fields: [UInt8]

  /// The numbers of the fields' packed arrays.
  let arrays: [UInt8]

  /// Creates what is to be saved.
  ///
  /// - Parameters:
  ///   - policy: the ``MixturePolicy/name`` of the policy that learned.
  ///   - domainNames: the domains that it learned on, in the order of its mixture.
  ///   - contents: what it stores; packed arrays in it become bytes.
  /// - Throws: ``MixingError/checkpointNotEncodable(policy:underlying:)``.
  public init(
    policy: String, domainNames: [String], contents: some Encodable
  ) throws(MixingError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    let packed = PackedBytes()
    encoder.userInfo = packed.userInfo
    do {
      fields = Array(try encoder.encode(contents))
    } catch {
      throw .checkpointNotEncodable(policy: policy, underlying: error)
    }
    self.policy = policy
    self.domainNames = domainNames
    arrays = packed.bytes
  }

  /// Returns what the policy stored.
  ///
  /// - Parameters:
  ///   - type: what it is.
  ///   - expected: the name of the policy that reads it.
  /// - Returns: the contents that ``init(policy:domainNames:contents:)`` was given.
  /// - Throws: ``MixingError/checkpointOfOtherPolicy(expected:found:)`` or
  ///   ``MixingError/checkpointMalformed(policy:underlying:)``.
  public func contents<Contents: Decodable>(
    as type: Contents.Type, ofPolicy expected: String
  ) throws(MixingError) -> Contents {
    guard policy == expected else {
      throw .checkpointOfOtherPolicy(expected: expected, found: policy)
    }
    let decoder = JSONDecoder()
    decoder.userInfo = PackedBytes(arrays).userInfo
    do {
      return try decoder.decode(Contents.self, from: Data(fields))
    } catch {
      throw .checkpointMalformed(policy: policy, underlying: error)
    }
  }
}

extension SavedPolicy {
  /// The largest file that is read, 1 GiB: networks of 250 million numbers.
  public static let byteLimit = 1 << 30

  private static let magic = Array("hrpolicy".utf8)
  private static let version: UInt32 = 1
  private static let headerSize = 24
  private static let checksumSize = 8

  private struct Header: Codable {
    let policy: String
    let domains: [String]
    let fields: String
  }

  /// The file's bytes.
  ///
  /// - Throws: ``MixingError/checkpointNotEncodable(policy:underlying:)``.
  public func bytes() throws(MixingError) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    let json: [UInt8]
    do {
      json = Array(
        try encoder.encode(
          Header(
            policy: policy, domains: domainNames, fields: String(decoding: fields, as: UTF8.self))))
    } catch {
      throw .checkpointNotEncodable(policy: policy, underlying: error)
    }
    var bytes = Self.magic
    withUnsafeBytes(of: Self.version.littleEndian) { bytes += $0 }
    withUnsafeBytes(of: UInt32(json.count).littleEndian) { bytes += $0 }
    withUnsafeBytes(of: UInt64(arrays.count).littleEndian) { bytes += $0 }
    bytes += json
    bytes += arrays
    let sum = checksum(of: bytes)
    withUnsafeBytes(of: sum.littleEndian) { bytes += $0 }
    return bytes
  }

  /// Reads a file's bytes.
  ///
  /// - Parameters:
  ///   - bytes: the whole file.
  ///   - path: where it is, for errors.
  /// - Throws: ``MixingError/savedPolicyMalformed(path:underlying:)`` with a ``SavedPolicyFault``
  ///   or a `DecodingError`.
  public init(bytes: [UInt8], path: String) throws(MixingError) {
    do {
      let (json, arrays) = try Self.parts(bytes)
      let header = try JSONDecoder().decode(Header.self, from: Data(json))
      guard !header.domains.isEmpty, Set(header.domains).count == header.domains.count else {
        throw SavedPolicyFault.domains
      }
      policy = header.policy
      domainNames = header.domains
      fields = Array(header.fields.utf8)
      self.arrays = Array(arrays)
    } catch {
      throw .savedPolicyMalformed(path: path, underlying: error)
    }
  }

  /// Reads a file.
  ///
  /// - Parameter path: where it is.
  /// - Throws: ``MixingError/fileUnreadable(path:errorNumber:)``,
  ///   ``MixingError/fileTooLarge(path:byteLimit:)`` and
  ///   ``MixingError/savedPolicyMalformed(path:underlying:)``.
  public init(at path: String) throws(MixingError) {
    try self.init(bytes: SmallFile.read(path, byteLimit: Self.byteLimit), path: path)
  }

  /// The JSON and the arrays of a file that is whole.
  private static func parts(
    _ bytes: [UInt8]
  ) throws(SavedPolicyFault) -> (ArraySlice<UInt8>, ArraySlice<UInt8>) {
    guard bytes.starts(with: magic) else { throw .magic }
    guard bytes.count >= headerSize + checksumSize else { throw .truncated(byteCount: bytes.count) }
    let version = integer(UInt32.self, bytes, at: 8)
    guard version == Self.version else { throw .version(version) }
    let jsonCount = UInt64(integer(UInt32.self, bytes, at: 12))
    let arrayCount = integer(UInt64.self, bytes, at: 16)
    let rest = UInt64(bytes.count - headerSize - checksumSize)
    guard arrayCount <= rest, jsonCount == rest - arrayCount else {
      throw .truncated(byteCount: bytes.count)
    }
    let end = bytes.count - checksumSize
    guard checksum(of: Array(bytes[..<end])) == integer(UInt64.self, bytes, at: end) else {
      throw .checksum
    }
    let middle = headerSize + Int(jsonCount)
    return (bytes[headerSize..<middle], bytes[middle..<end])
  }

  private static func integer<Value: FixedWidthInteger>(
    _ type: Value.Type, _ bytes: [UInt8], at offset: Int
  ) -> Value {
    bytes.withUnsafeBytes {
      Value(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Value.self))
    }
  }
}

/// What is wrong with a file that shall hold a saved policy.
public enum SavedPolicyFault: Error, Equatable, CustomStringConvertible {
  /// The file does not begin as a saved policy does.
  case magic
  /// A version that this program does not know.
  case version(UInt32)
  /// The sizes in the file are not those of its parts.
  case truncated(byteCount: Int)
  /// The checksum is not that of the bytes before it.
  case checksum
  /// No domains, or two of one name.
  case domains

  /// What was found.
  public var description: String {
    switch self {
    case .magic: "it does not begin with \"hrpolicy\""
    case .version(let version): "it has version \(version); this program reads version 1"
    case .truncated(let byteCount): "its \(byteCount) bytes are not what it says its parts are"
    case .checksum: "its checksum is not that of its bytes; copy it again"
    case .domains: "it names no domains, or one of them twice"
    }
  }
}

/// What a saved policy and the configured one must have in common.
public enum SavedPolicyProperty: String, Sendable {
  /// The preset of `ac-odm`.
  case preset
  /// Which features the networks read.
  case state
  /// The sizes of the networks.
  case networks
  /// The domains, where networks are made for a number of them.
  case domains
  /// The watched layers whose norms the networks read.
  case layers

  /// What to do about a difference.
  var remedy: String {
    switch self {
    case .preset: "give the option preset as it was"
    case .state: "give the option state as it was"
    case .networks: "give the options of the networks' sizes as they were"
    case .domains: "the preset's networks need the same domains; repaired takes any"
    case .layers: "have the trainer watch as many layers"
    }
  }
}
