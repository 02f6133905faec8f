#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A policy's checkpoint without its type, as the loader keeps it: the policy's name and its
/// fields.
///
/// The fields are JSON with sorted keys; equal checkpoints have equal bytes.
public struct PolicyCheckpoint: Sendable, Equatable {
  /// The ``MixturePolicy/name`` of the policy that wrote it.
  public let policy: String

  /// The fields of the policy's own checkpoint, as UTF-8 JSON.
  public let fields: [UInt8]

  /// Creates a checkpoint from what was stored.
  ///
  /// - Parameters:
  ///   - policy: the name of the policy that wrote it.
  ///   - fields: UTF-8 JSON; it is read by ``MixturePolicy/restore(from:)``.
  public init(policy: String, fields: [UInt8]) {
    self.policy = policy
    self.fields = fields
  }
}

extension PolicyCheckpoint: Codable {
  private enum CodingKeys: String, CodingKey {
    case policy
    case fields
  }

  /// Reads the name and the fields, which are a string that holds JSON.
  ///
  /// - Parameter decoder: holds an object with `policy` and `fields`.
  /// - Throws: `DecodingError`.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    policy = try container.decode(String.self, forKey: .policy)
    fields = Array(try container.decode(String.self, forKey: .fields).utf8)
  }

  /// Writes the name, and the fields as a string.
  ///
  /// - Parameter encoder: takes an object with `policy` and `fields`.
  /// - Throws: what the encoder throws.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(policy, forKey: .policy)
    try container.encode(String(decoding: fields, as: UTF8.self), forKey: .fields)
  }
}

extension MixturePolicy {
  /// Returns the checkpoint in the form that is stored.
  ///
  /// - Returns: the policy's name and its ``checkpoint`` as JSON with sorted keys.
  /// - Throws: ``MixingError/checkpointNotEncodable(policy:underlying:)``, for instance when the
  ///   policy remembers NaN.
  public func erasedCheckpoint() throws(MixingError) -> PolicyCheckpoint {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    do {
      return PolicyCheckpoint(policy: Self.name, fields: Array(try encoder.encode(checkpoint)))
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
      saved = try JSONDecoder().decode(Checkpoint.self, from: Data(erased.fields))
    } catch {
      throw .checkpointMalformed(policy: Self.name, underlying: error)
    }
    try restore(saved)
  }
}
