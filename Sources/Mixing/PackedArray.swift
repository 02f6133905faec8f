/// Numbers of a policy's memory, which a stored checkpoint keeps as little-endian bytes beside its
/// fields rather than as text in them.
///
/// A ``MixturePolicy/Checkpoint`` may hold any number of them, at any depth. They come back bit for
/// bit, NaN included. An encoder that is not ``MixturePolicy/erasedCheckpoint()``'s writes plain
/// numbers.
public struct PackedArray<Element: PackedElement>: Sendable, Equatable {
  /// The numbers.
  public var values: [Element]

  /// Creates the form of `values` that is stored as bytes.
  public init(_ values: [Element]) { self.values = values }
}

/// What a ``PackedArray`` may be of.
public protocol PackedElement: Codable, Sendable, Equatable {
  /// An integer of as many bits.
  associatedtype Bits: FixedWidthInteger

  /// The number as its bits.
  var packedBits: Bits { get }

  /// Creates the number of the bits.
  init(packedBits: Bits)
}

extension Float: PackedElement {
  /// The bit pattern.
  public var packedBits: UInt32 { bitPattern }

  /// Creates the number of a bit pattern.
  public init(packedBits: UInt32) { self.init(bitPattern: packedBits) }
}

extension Double: PackedElement {
  /// The bit pattern.
  public var packedBits: UInt64 { bitPattern }

  /// Creates the number of a bit pattern.
  public init(packedBits: UInt64) { self.init(bitPattern: packedBits) }
}

extension Int32: PackedElement {
  /// The number itself.
  public var packedBits: Int32 { self }

  /// Creates a copy of the number.
  public init(packedBits: Int32) { self = packedBits }
}

extension Int64: PackedElement {
  /// The number itself.
  public var packedBits: Int64 { self }

  /// Creates a copy of the number.
  public init(packedBits: Int64) { self = packedBits }
}

/// The bytes of all packed arrays of a checkpoint: written one behind the other, read at the place
/// that the fields name.
final class PackedBytes {
  var bytes: [UInt8]

  init(_ bytes: [UInt8] = []) { self.bytes = bytes }

  /// The key of an encoder's and a decoder's `userInfo` under which the bytes are found.
  static let key = CodingUserInfoKey(rawValue: "headrace.packed")

  /// What `userInfo` is to be for the bytes.
  var userInfo: [CodingUserInfoKey: any Sendable] {
    guard let key = Self.key else { return [:] }
    return [key: Carrier(packed: self)]
  }

  static func of(_ userInfo: [CodingUserInfoKey: Any]) -> PackedBytes? {
    key.flatMap { userInfo[$0] as? Carrier }?.packed
  }

  /// Sound: one thread encodes or decodes, from beginning to end.
  private struct Carrier: @unchecked Sendable { let packed: PackedBytes }
}

extension PackedArray: Codable {
  private enum CodingKeys: String, CodingKey {
    case count
    case byteOffset = "byte_offset"
  }

  /// Reads the numbers from the checkpoint's bytes.
  ///
  /// - Parameter decoder: holds a count and a place, or plain numbers.
  /// - Throws: `DecodingError` if the place is not in the bytes.
  public init(from decoder: any Decoder) throws {
    guard let packed = PackedBytes.of(decoder.userInfo) else {
      values = try [Element](from: decoder)
      return
    }
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let count = try container.decode(Int.self, forKey: .count)
    let byteOffset = try container.decode(Int.self, forKey: .byteOffset)
    let size = MemoryLayout<Element.Bits>.size
    let (byteCount, overflows) = count.multipliedReportingOverflow(by: size)
    guard count >= 0, byteOffset >= 0, !overflows, byteOffset <= packed.bytes.count,
      byteCount <= packed.bytes.count - byteOffset
    else {
      throw DecodingError.dataCorrupted(
        DecodingError.Context(
          codingPath: decoder.codingPath,
          debugDescription:
            "\(count) numbers at byte \(byteOffset) go past the \(packed.bytes.count) bytes of the arrays"
        ))
    }
    values = packed.bytes.withUnsafeBytes { bytes in
      (0..<count).map {
        Element(
          packedBits: Element.Bits(
            littleEndian: bytes.loadUnaligned(
              fromByteOffset: byteOffset + $0 * size, as: Element.Bits.self)))
      }
    }
  }

  /// Appends the numbers to the checkpoint's bytes.
  ///
  /// - Parameter encoder: takes a count and a place, or plain numbers.
  /// - Throws: what the encoder throws.
  public func encode(to encoder: any Encoder) throws {
    guard let packed = PackedBytes.of(encoder.userInfo) else {
      return try values.encode(to: encoder)
    }
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(values.count, forKey: .count)
    try container.encode(packed.bytes.count, forKey: .byteOffset)
    packed.bytes.reserveCapacity(
      packed.bytes.count + values.count * MemoryLayout<Element.Bits>.size)
    for value in values {
      withUnsafeBytes(of: value.packedBits.littleEndian) { packed.bytes += $0 }
    }
  }
}
