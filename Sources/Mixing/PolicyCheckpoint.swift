internal import Kernels

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A policy's checkpoint without its type, as the loader keeps it: the policy's name, its fields
/// and its arrays.
///
/// The fields are JSON with sorted keys; equal checkpoints have equal bytes. The bytes of the
/// ``PackedArray``s stand apart, and the coded form has their checksum only: who stores it stores
/// them beside it.
public struct PolicyCheckpoint: Sendable, Equatable {
  /// The ``MixturePolicy/name`` of the policy that wrote it.
  public let policy: String

  /// The fields of the policy's own checkpoint, as UTF-8 JSON.
  public let fields: [UInt8]

  /// The numbers of the checkpoint's packed arrays, little-endian; empty if it has none.
  public private(set) var arrays: [UInt8]

  /// Creates a checkpoint from what was stored.
  ///
  /// - Parameters:
  ///   - policy: the name of the policy that wrote it.
  ///   - fields: UTF-8 JSON; it is read by ``MixturePolicy/restore(from:)``.
  ///   - arrays: the bytes of the packed arrays.
  public init(policy: String, fields: [UInt8], arrays: [UInt8] = []) {
    self.policy = policy
    self.fields = fields
    self.arrays = arrays
    storedChecksum = checksum(of: arrays)
  }

  /// XXH64 of the arrays, as it was when they were stored.
  private var storedChecksum: UInt64

  /// Puts in the arrays that were stored beside the coded form.
  ///
  /// - Parameter arrays: the bytes of the packed arrays.
  /// - Throws: ``MixingError/checkpointArraysDamaged(policy:byteCount:)`` if they are not those
  ///   that the checkpoint was stored with.
  public mutating func setArrays(_ arrays: [UInt8]) throws(MixingError) {
    guard checksum(of: arrays) == storedChecksum else {
      throw .checkpointArraysDamaged(policy: policy, byteCount: arrays.count)
    }
    self.arrays = arrays
  }
}

extension PolicyCheckpoint: Codable {
  private enum CodingKeys: String, CodingKey {
    case policy, fields
    case arraysChecksum = "arrays_xxh64"
  }

  /// Reads the name and the fields, which are a string that holds JSON; the arrays are empty until
  /// ``setArrays(_:)``.
  ///
  /// - Parameter decoder: holds an object with `policy` and `fields`.
  /// - Throws: `DecodingError`.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    policy = try container.decode(String.self, forKey: .policy)
    fields = Array(try container.decode(String.self, forKey: .fields).utf8)
    arrays = []
    storedChecksum =
      try container.decodeIfPresent(UInt64.self, forKey: .arraysChecksum) ?? checksum(of: [])
  }

  /// Writes the name, the fields as a string, and the checksum of the arrays if there are any.
  ///
  /// - Parameter encoder: takes an object with `policy` and `fields`.
  /// - Throws: what the encoder throws.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(policy, forKey: .policy)
    try container.encode(String(decoding: fields, as: UTF8.self), forKey: .fields)
    if !arrays.isEmpty { try container.encode(storedChecksum, forKey: .arraysChecksum) }
  }
}

extension MixturePolicy {
  /// Returns the checkpoint in the form that is stored.
  ///
  /// - Returns: the policy's name, its ``checkpoint`` as JSON with sorted keys, and its packed
  ///   arrays.
  /// - Throws: ``MixingError/checkpointNotEncodable(policy:underlying:)``, for instance when the
  ///   policy remembers NaN.
  public func erasedCheckpoint() throws(MixingError) -> PolicyCheckpoint {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    let packed = PackedBytes()
    encoder.userInfo = packed.userInfo
    do {
      let fields = Array(try encoder.encode(checkpoint))
      return PolicyCheckpoint(policy: Self.name, fields: fields, arrays: packed.bytes)
    } catch {
      throw .checkpointNotEncodable(policy: Self.name, underlying: error)
    }
  }

  /// Goes on from a stored checkpoint.
  ///
  /// - Parameter erased: what ``erasedCheckpoint()`` returned in a policy of the same recipe.
  /// - Throws: ``MixingError/checkpointOfOtherPolicy(expected:found:)``,
  ///   ``MixingError/checkpointMalformed(policy:underlying:)``, and what ``restore(_:)`` throws.
  public mutating func restore(from erased: PolicyCheckpoint) throws(MixingError) {
    guard erased.policy == Self.name else {
      throw .checkpointOfOtherPolicy(expected: Self.name, found: erased.policy)
    }
    let saved: Checkpoint
    do {
      let decoder = JSONDecoder()
      decoder.userInfo = PackedBytes(erased.arrays).userInfo
      saved = try decoder.decode(Checkpoint.self, from: Data(erased.fields))
    } catch let error as MixingError {
      // A part of the checkpoint has found by itself that it belongs to another setting.
      throw error
    } catch {
      throw .checkpointMalformed(policy: Self.name, underlying: error)
    }
    try restore(saved)
  }
}
