/// What a thread that decodes is doing now, for whoever waits for it.
///
/// A few words behind a lock, written for every frame and stage; a thread that stops writing is
/// stuck in what it wrote last.
package final class ReadActivity: Sendable {
  /// What is being done, since when.
  package struct Record: Sendable {
    package var stage = Stall.Stage.waiting
    package var domain = 0
    package var shard = 0
    package var frame: Int?
    package var byteOffset: Int?
    /// When that was written.
    package var moment = Moment()
  }

  private let record = Locked(Record())

  package init() {}

  /// What was written last.
  package var current: Record { record.withLock { $0 } }

  /// A shard is looked at from now on.
  package func begin(_ stage: Stall.Stage, domain: Int, shard: Int) {
    let now = Moment()
    record.withLock {
      $0 = Record(stage: stage, domain: domain, shard: shard, moment: now)
    }
  }

  /// Something else is done with the same shard.
  package func note(_ stage: Stall.Stage, frame: Int? = nil, byteOffset: Int? = nil) {
    let now = Moment()
    record.withLock {
      ($0.stage, $0.frame, $0.byteOffset, $0.moment) = (stage, frame, byteOffset, now)
    }
  }

  /// The same goes on at another place.
  package func advance(to byteOffset: Int) {
    let now = Moment()
    record.withLock { ($0.byteOffset, $0.moment) = (byteOffset, now) }
  }

  /// A read begins in the middle of a stage.
  ///
  /// - Returns: The stage, which ``endRead(_:)`` goes back to.
  func beginRead(at byteOffset: Int) -> Stall.Stage {
    let now = Moment()
    return record.withLock { record in
      let stage = record.stage
      (record.stage, record.byteOffset, record.moment) = (.reading, byteOffset, now)
      return stage
    }
  }

  /// The read came back, and the stage goes on.
  func endRead(_ stage: Stall.Stage) {
    let now = Moment()
    record.withLock { ($0.stage, $0.moment) = (stage, now) }
  }
}
