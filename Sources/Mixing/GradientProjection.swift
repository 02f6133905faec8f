internal import Kernels

/// A seeded random projection of gradients to `width` numbers that keeps inner products.
///
/// It is for watched parameters so many that a row of them per domain is too much memory. The map S
/// is linear, has one entry, +1 or −1, per parameter, and is never stored: parameter i goes to
///
///     place (i mod p + o_b) mod p, b = floor(i / p),   with the sign of random bit i
///
/// - p: ``width``. o_b: an offset in 0..<p that follows from the seed and the block b.
///
/// Error: two parameters of one block never share a place, two of different blocks do with
/// probability 1/p, and signs are independent. So for any two gradients x and y, over seeds,
///
///     E⟨Sx, Sy⟩ = ⟨x, y⟩,   Var⟨Sx, Sy⟩ ≤ (|x|²|y|² + (Σ|x_i y_i|)²) / p ≤ 2 |x|²|y|² / p
///
/// and with probability at least 1 − δ the error is at most ε |x| |y| for ε = sqrt(2 / (δ p)): p =
/// 8,192 gives a root mean square error of at most 1.6 % of |x| |y|, and 7 % with δ = 0.05. Where p
/// is at least the number of parameters the inner products are exact.
///
/// Source: Charikar, Chen and Farach-Colton 2002, *Finding Frequent Items in Data Streams*, section
/// 3 (the count sketch); Johnson and Lindenstrauss 1984 for what such maps keep.
///
/// Departures from the source: a block's parameters go to neighboring places, so that vectors are
/// added and not numbers; the bound above holds for that form.
public struct GradientProjection: Sendable, Equatable {
  /// p, how many numbers a gradient becomes, in ``widthRange``.
  public let width: Int
  /// What offsets and signs follow from.
  public let seed: UInt64

  /// The widths that are allowed.
  public static let widthRange = 1...(1 << 28)

  /// Describes a projection.
  ///
  /// - Parameters:
  ///   - width: p, how many numbers a gradient becomes.
  ///   - seed: what offsets and signs follow from; the same over a whole run and on all ranks.
  /// - Throws: ``GradientError/settingOutOfRange(name:value:allowed:)``.
  public init(width: Int, seed: UInt64) throws(GradientError) {
    guard Self.widthRange.contains(width) else {
      throw .settingOutOfRange(
        name: "the projection's width", value: width, allowed: Self.widthRange)
    }
    self.width = width
    self.seed = seed
  }

  /// Adds the projection of the parameters from `first` on to `row`.
  ///
  /// Each thread owns places of the row and goes through the blocks in order, so that the result
  /// does not depend on their number.
  func add(
    _ gradient: UnsafeBufferPointer<Float>, first: Int, to row: FloatArray, context: KernelContext
  ) {
    precondition(row.count == width, "a row of \(row.count) for a projection to \(width)")
    guard !gradient.isEmpty else { return }
    // Sound: the loop only reads it, and ends before the caller's memory goes away.
    nonisolated(unsafe) let gradient = gradient
    var signs = SeededGenerator(seed: seed, stream: "gradient projection signs")
    let key = signs.next()
    let blocks = first / width...(first + gradient.count - 1) / width
    context.team.run(count: width, minimumPerThread: 1 << 9) { _, places in
      for block in blocks {
        let offset = offset(ofBlock: block)
        // The block's parameters before the wrap go `offset` places up, the others as much down.
        let halves = [
          (columns: 0..<width - offset, shift: offset),
          (columns: width - offset..<width, shift: offset - width),
        ]
        for (columns, shift) in halves {
          let lower = max(
            columns.lowerBound, places.lowerBound - shift, first - block * width)
          let upper = min(
            columns.upperBound, places.upperBound - shift, first + gradient.count - block * width)
          guard lower < upper else { continue }
          let begin = block * width + lower - first
          context.addSigned(
            UnsafeBufferPointer(rebasing: gradient[begin..<begin + upper - lower]), to: row,
            at: lower + shift, key: key, first: block * width + lower)
        }
      }
    }
  }

  /// o_b, uniform in 0..<width.
  private func offset(ofBlock block: Int) -> Int {
    var generator = SeededGenerator(
      seed: seed &+ UInt64(block), stream: "gradient projection offset")
    return Int(generator.next().multipliedFullWidth(by: UInt64(width)).high)
  }
}
