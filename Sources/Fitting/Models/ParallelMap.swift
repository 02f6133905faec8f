package import Kernels
internal import Synchronization

/// Independent pieces of work on a team's threads.
package enum ParallelMap {
  /// Returns what `body` makes of 0..<count, in order.
  ///
  /// A thread takes the next piece when it is done with one, so that long and short pieces mix.
  /// What comes out does not depend on the threads, as long as `body` depends on its index alone.
  ///
  /// - Parameters:
  ///   - count: how many pieces there are.
  ///   - team: the threads.
  ///   - body: makes one piece; called from several threads.
  /// - Returns: the pieces `[index]`.
  /// - Throws: what `body` throws for the lowest index.
  package static func map<Value: Sendable>(
    count: Int, on team: ThreadTeam,
    _ body: @Sendable (Int) throws(FittingError) -> Value
  ) throws(FittingError) -> [Value] {
    let next = Atomic<Int>(0)
    let found = Mutex<[Result<Value, FittingError>?]>(Array(repeating: nil, count: count))
    team.run(count: team.threadCount) { _, _ in
      while true {
        let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard index < count else { return }
        let result: Result<Value, FittingError>
        do throws(FittingError) {
          result = .success(try body(index))
        } catch {
          result = .failure(error)
        }
        found.withLock { $0[index] = result }
      }
    }
    var values: [Value] = []
    for result in found.withLock({ $0 }) {
      guard let result else { preconditionFailure("a piece that nobody made") }
      values.append(try result.get())
    }
    return values
  }
}
