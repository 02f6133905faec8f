internal import Corpora

/// How the memory of a pool is laid out; the same for every pool of a loader.
struct PoolGeometry: Sendable, Equatable {
  /// Tokens from the beginning of one unit to that of the next.
  let unitStride: Int
  /// P, the units in a pool.
  let unitsPerPool: Int
  /// S, the sequences in a unit.
  let sequencesPerUnit: Int
  /// T, the targets of a sequence.
  let sequenceLength: Int
  /// How many bytes a token takes.
  let tokenWidth: TokenWidth

  /// The bytes that the tokens of one pool take.
  var tokenByteCount: Int { unitsPerPool * unitStride * tokenWidth.byteCount }

  /// The bytes that one pool takes.
  var poolByteCount: Int {
    tokenByteCount
      + unitsPerPool * sequencesPerUnit * MemoryLayout<UInt32>.stride
  }

  /// The most pools that a cache keeps: one that is read and, with threads, one that is decoded
  /// ahead for each domain; more would never be used.
  func poolLimit(domainCount: Int, threadCount: Int, byteBudget: Int) -> Int {
    let useful = domainCount * (threadCount > 0 ? 2 : 1)
    return min(useful, max(1, byteBudget / poolByteCount))
  }

  init(layout: DomainLayout, unitsPerPool: Int, tokenWidth: TokenWidth) {
    // Units begin on cache lines.
    let tokensPerLine = 64 / tokenWidth.byteCount
    unitStride =
      (layout.unitTokenCapacity + tokensPerLine - 1) / tokensPerLine * tokensPerLine
    self.unitsPerPool = unitsPerPool
    sequencesPerUnit = layout.sequencesPerUnit
    sequenceLength = layout.sequenceLength
    self.tokenWidth = tokenWidth
  }
}

/// The memory of one pool, and how far it is decoded.
///
/// The states are guarded by the cache's lock. The memory of a unit is written by the one thread
/// that set the unit to `decoding`, and read by the loader's thread after it saw, under the lock,
/// that the unit is ready.
final class PoolSlot {
  enum UnitState {
    case empty
    case decoding
    case ready
    case failed(CorpusError)
  }

  let geometry: PoolGeometry
  /// What ``memory`` is part of, and is kept alive by.
  private let arena: PoolArena
  /// The tokens of all units.
  let memory: UnsafeMutableRawBufferPointer
  /// Where each row begins in ``memory``, in tokens, in the order in which rows are read.
  let rowOffsets: UnsafeMutablePointer<UInt32>

  private(set) var domain = -1
  private(set) var pool = DomainOrder.Pool(epoch: 0, index: 0)
  private(set) var rowCount = 0
  private(set) var unitCount = 0
  /// The unit at each rank of the pool.
  private(set) var units: [Int]
  var states: [UnitState]
  /// What the thread is doing that decodes each unit.
  var activities: [ReadActivity?]
  /// The shards in which each unit that has failed did so; the rest of it is decoded.
  var failures: [[(shard: Int, error: CorpusError)]]
  var readyCount = 0
  var decodingCount = 0

  /// Creates the slot that is the `index`-th of `arena`.
  init(geometry: PoolGeometry, arena: PoolArena, index: Int) {
    self.geometry = geometry
    self.arena = arena
    memory = arena.memory(ofSlot: index)
    rowOffsets = .allocate(capacity: geometry.unitsPerPool * geometry.sequencesPerUnit)
    units = Array(repeating: 0, count: geometry.unitsPerPool)
    states = Array(repeating: .empty, count: geometry.unitsPerPool)
    activities = Array(repeating: nil, count: geometry.unitsPerPool)
    failures = Array(repeating: [], count: geometry.unitsPerPool)
  }

  deinit {
    rowOffsets.deallocate()
  }

  /// Whether every unit is decoded.
  var isComplete: Bool { readyCount == unitCount }

  /// Makes the slot the place of `pool` of `domain`: sets its units and row offsets, with nothing
  /// decoded.
  func assign(domain: Int, pool: DomainOrder.Pool, order: DomainOrder) {
    self.domain = domain
    self.pool = pool
    unitCount = order.unitCount(of: pool)
    readyCount = 0
    decodingCount = 0
    let firstRank = pool.index * order.unitsPerPool
    for rank in 0..<unitCount {
      units[rank] = order.unit(atRank: firstRank + rank, ofEpoch: pool.epoch)
      states[rank] = .empty
    }
    if order.layout.access != .openEnded {
      setRows(count: order.sequenceCount(of: pool), order: order)
    } else {
      rowCount = 0
    }
  }

  /// Says where each row lies.
  ///
  /// Of text that is known only once the pool is decoded.
  func setRows(count: Int, order: DomainOrder) {
    rowCount = count
    guard count > 0 else { return }
    let permutation = order.sequences(of: pool, count: count)
    let layout = order.layout
    let (unitStride, perUnit) = (geometry.unitStride, geometry.sequencesPerUnit)
    units.withUnsafeBufferPointer { units in
      for row in 0..<count {
        let (rank, sequence) = permutation[row].quotientAndRemainder(dividingBy: perUnit)
        let spacing = layout.rowSpacing(ofUnit: units[rank])
        rowOffsets[row] = UInt32(truncatingIfNeeded: rank * unitStride + sequence * spacing)
      }
    }
  }

  /// The rank of the unit in which `row` lies.
  func rank(ofRow row: Int) -> Int { Int(rowOffsets[row]) / geometry.unitStride }

  /// What failed of the unit at `rank` that `row` has tokens of, or any row where it is not given;
  /// nil if all that it needs is decoded.
  func failure(ofRow row: Int?, rank: Int, layout: DomainLayout) -> (
    shard: Int, error: CorpusError
  )? {
    let spacing = layout.rowSpacing(ofUnit: units[rank])
    return layout.failure(
      ofSequence: row.map { (Int(rowOffsets[$0]) - rank * geometry.unitStride) / spacing },
      inUnit: units[rank], among: failures[rank])
  }

  /// The memory of the unit at `rank`.
  func memory(ofRank rank: Int) -> UnsafeMutableRawBufferPointer {
    let byteCount = geometry.unitStride * geometry.tokenWidth.byteCount
    return UnsafeMutableRawBufferPointer(
      rebasing: memory[rank * byteCount..<(rank + 1) * byteCount])
  }
}
