internal import Corpora

/// The one order in which a domain's sequences are read, a pure function of seed, name, layout and
/// pool size.
///
/// This is order version 1, keys and counters included; `fixtures/order/reference.py` states the
/// same in Python. lo and hi are the halves of a 64-bit number.
///
/// **Keys.** Purposes: units 1, sequences 2, draw 3 (its name is empty), documents 4.
///
///     h = XXH64(UTF-8 of name)
///     key(purpose, name) = words 0, 1 of
///         Philox(key: (lo seed, hi seed), counter: (lo h, hi h, purpose, version))
///
/// **Permutations** of n values, for an epoch e and a block j:
///
///     (k₀, k₁) = Philox(key, counter: (j, lo e, hi e, 0)), two words each, the lower first
///     (k₂, k₃) = Philox(key, counter: (j, lo e, hi e, 1))
///     and a four-round Feistel network with cycle walking: ``KeyedPermutation``
///
/// **Position n**, with N sequences an epoch, U whole units of S sequences, pools of P units:
///
///     e = n div N,  r = n mod N           the epoch, and the place in it
///     j = r div (P·S),  i = r mod (P·S)   the pool, and the place in it
///     z = min(P·S, N − j·P·S)             the pool's size
///     s = permutation(sequences, epoch e, block j, z)[i]
///     u = j·P + s div S                   the unit's rank in the epoch
///     unit     = permutation(units, epoch e, block 0, U)[u], or the short unit when u = U
///     sequence = s mod S
///
/// **Shards that are read as streams**, C of them, are permuted in place of units; their sequences
/// are laid end to end in that order, and pools are P·S of them in a row:
///
///     shards   = permutation(units, epoch e, block 0, C)
///     the sequence is the one at j·P·S + s of that row
///
/// Of text nobody knows N: the epoch ends where the last shard does, its last pool is as large as
/// what is left, and n is counted from the beginning of the run.
///
/// **The multinomial draw** number R of a run, where that rule is chosen:
///
///     x = words 0, 1 of Philox(key(draw, ""), counter: (lo R, hi R, 0, 0)), word 0 low
///     the domain is the lowest d with q₀ + … + q_d > x div 2^16, q the effective mixture
package struct DomainOrder: Sendable {
  /// The domain's name.
  package let name: String
  /// How the domain is cut.
  package let layout: DomainLayout
  /// P, the units in a pool.
  package let unitsPerPool: Int

  private let unitsKey: StreamKey
  private let sequencesKey: StreamKey

  /// Creates the order of the domain `name` under `seed`.
  ///
  /// - Precondition: The layout has at least one sequence or is open-ended, and `unitsPerPool` is
  ///   positive.
  package init(layout: DomainLayout, name: String, seed: UInt64, unitsPerPool: Int) {
    precondition(
      layout.sequenceCount >= 1 || layout.access == .openEnded,
      "domain \(name) has no whole sequence")
    precondition(unitsPerPool >= 1, "a pool has at least 1 unit, not \(unitsPerPool)")
    self.name = name
    self.layout = layout
    self.unitsPerPool = unitsPerPool
    unitsKey = StreamKey(seed: seed, purpose: .units, name: name)
    sequencesKey = StreamKey(seed: seed, purpose: .sequences, name: name)
  }

  /// P·S, the sequences in a whole pool.
  package var sequencesPerPool: Int { unitsPerPool * layout.sequencesPerUnit }

  /// The pools of one epoch.
  package var poolsPerEpoch: Int {
    (layout.sequenceCount + sequencesPerPool - 1) / sequencesPerPool
  }

  /// One pool of one epoch.
  package struct Pool: Sendable, Equatable {
    /// e, counted from 0.
    package var epoch: Int
    /// j, counted from 0 in each epoch.
    package var index: Int
  }

  /// Returns the pool that holds position `n`, and the place in it.
  package func place(of position: Int) -> (pool: Pool, row: Int) {
    let (epoch, rest) = position.quotientAndRemainder(dividingBy: layout.sequenceCount)
    let (index, row) = rest.quotientAndRemainder(dividingBy: sequencesPerPool)
    return (Pool(epoch: epoch, index: index), row)
  }

  /// Returns the pool that is read after `pool`.
  package func pool(after pool: Pool) -> Pool {
    pool.index + 1 < poolsPerEpoch
      ? Pool(epoch: pool.epoch, index: pool.index + 1) : Pool(epoch: pool.epoch + 1, index: 0)
  }

  /// The number of sequences in `pool`.
  package func sequenceCount(of pool: Pool) -> Int {
    min(sequencesPerPool, layout.sequenceCount - pool.index * sequencesPerPool)
  }

  /// The number of units in `pool`.
  package func unitCount(of pool: Pool) -> Int {
    layout.access == .openEnded
      ? unitsPerPool : min(unitsPerPool, layout.unitCount - pool.index * unitsPerPool)
  }

  /// Returns the permutation of the whole units in `epoch`, or nil if there is only the short unit.
  package func units(ofEpoch epoch: Int) -> KeyedPermutation? {
    guard layout.wholeUnitCount > 0 else { return nil }
    return KeyedPermutation(key: unitsKey, epoch: epoch, block: 0, count: layout.wholeUnitCount)
  }

  /// Returns the unit that is read at `rank`, the place among the epoch's units.
  package func unit(atRank rank: Int, ofEpoch epoch: Int) -> Int {
    guard rank < layout.wholeUnitCount, let units = units(ofEpoch: epoch) else { return rank }
    return units[rank]
  }

  /// Returns the permutation of the sequences in `pool`.
  package func sequences(of pool: Pool) -> KeyedPermutation {
    sequences(of: pool, count: sequenceCount(of: pool))
  }

  /// Returns the permutation of the sequences in `pool`, which are `count`.
  package func sequences(of pool: Pool, count: Int) -> KeyedPermutation {
    KeyedPermutation(key: sequencesKey, epoch: pool.epoch, block: pool.index, count: count)
  }

  /// Returns the order in which `epoch` reads shards that are streams.
  package func shards(ofEpoch epoch: Int) -> [Int] {
    let permutation = KeyedPermutation(
      key: unitsKey, epoch: epoch, block: 0, count: layout.shardCount)
    return (0..<layout.shardCount).map { permutation[$0] }
  }

  /// Returns the unit and the sequence in it at position `n`, where units are permuted.
  package func sequence(at position: Int) -> (unit: Int, sequence: Int) {
    let (pool, rank, sequence) = rank(at: position)
    return (unit(atRank: rank, of: pool), sequence)
  }

  /// Returns the pool that holds position `n`, the rank in the pool of the unit, and the sequence
  /// in it.
  func rank(at position: Int) -> (pool: Pool, rank: Int, sequence: Int) {
    let (pool, row) = place(of: position)
    let (rank, sequence) = sequences(of: pool)[row]
      .quotientAndRemainder(dividingBy: layout.sequencesPerUnit)
    return (pool, rank, sequence)
  }

  /// Returns the unit that `pool` reads at `rank`, the place among its units.
  func unit(atRank rank: Int, of pool: Pool) -> Int {
    unit(atRank: pool.index * unitsPerPool + rank, ofEpoch: pool.epoch)
  }
}
