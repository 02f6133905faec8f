import Corpora
import Loading
import Testing

@Suite(.timeLimit(.minutes(5)))
struct DomainOrderTests {
  @Test func ordersAreThoseOfTheReference() throws {
    let fixture = try OrderFixture.read()
    #expect(fixture.order_version == Loader.orderVersion)
    for vector in fixture.orders {
      let layout = DomainLayout(
        shardTokenCounts: vector.shard_tokens, sequenceLength: vector.sequence_length,
        frameTokenCount: vector.frame_tokens)
      #expect(layout.framesPerUnit == vector.frames_per_unit, "\(vector.note)")
      #expect(layout.sequencesPerUnit == vector.unit_size, "\(vector.note)")
      #expect(layout.frameUnitCount == vector.full_units, "\(vector.note)")
      #expect(layout.wholeUnitCount == vector.whole_units, "\(vector.note)")
      #expect(layout.sequenceCount == vector.sequence_count, "\(vector.note)")

      let order = DomainOrder(
        layout: layout, name: vector.name, seed: word(vector.seed),
        unitsPerPool: vector.pool_units)
      func place(_ position: Int) -> [Int] {
        let place = order.place(ofSequenceAt: position, frameTokenCount: vector.frame_tokens)
        return [place.shard, place.token]
      }
      let places = (0..<vector.epochs * vector.sequence_count).map(place)
      #expect(Array(places.prefix(vector.head.count)) == vector.head, "\(vector.note)")
      let second = places[vector.sequence_count...].prefix(vector.second_epoch_head.count)
      #expect(Array(second) == vector.second_epoch_head, "\(vector.note)")
      #expect(OrderFixture.digest(places.flatMap { $0 }) == vector.digest, "\(vector.note)")
      for far in vector.far { #expect(place(far.position) == far.sequence, "\(vector.note)") }
    }
  }

  @Test func walkingFromPoolToPoolVisitsEveryPositionOnce() throws {
    for vector in try OrderFixture.read().orders where vector.sequence_count < 2000 {
      let order = DomainOrder(
        layout: DomainLayout(
          shardTokenCounts: vector.shard_tokens, sequenceLength: vector.sequence_length,
          frameTokenCount: vector.frame_tokens),
        name: vector.name, seed: 5, unitsPerPool: vector.pool_units)
      var pool = order.place(of: 0).pool
      var position = 0
      while pool.epoch < 3 {
        for row in 0..<order.sequenceCount(of: pool) {
          #expect(order.place(of: position).pool == pool, "\(vector.note)")
          #expect(order.place(of: position).row == row, "\(vector.note)")
          position += 1
        }
        pool = order.pool(after: pool)
      }
      #expect(position == 3 * vector.sequence_count, "\(vector.note)")
    }
  }
}
