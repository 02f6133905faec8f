internal import Dispatch

extension Loader {
  /// The batches as an asynchronous sequence, for `for try await batch in loader.batches`.
  ///
  /// A batch is made when it is asked for, on a thread of its own, so that no cooperative thread
  /// waits for a disk or a decoder; nothing runs ahead, so that feedback which is observed between
  /// two batches reaches the second.
  ///
  /// The loader still belongs to one task: nothing else may call it while a batch is awaited.
  public var batches: Batches { Batches(loader: self) }

  /// A loader's batches, one at a time.
  public struct Batches: AsyncSequence {
    /// What the sequence gives.
    public typealias Element = Batch
    /// What it throws.
    public typealias Failure = LoadingError

    fileprivate let loader: Loader

    /// Makes the iterator; there is one position, the loader's.
    ///
    /// - Returns: An iterator over the batches that are still to come.
    public func makeAsyncIterator() -> Iterator { Iterator(loader: loader) }
  }

  /// The iterator of ``Batches``.
  public struct Iterator: AsyncIteratorProtocol {
    private let loader: LentLoader
    private let queue = DispatchQueue(label: "headrace.batches")

    fileprivate init(loader: Loader) {
      self.loader = LentLoader(loader: loader)
    }

    /// Returns the next batch, or nil at the end.
    ///
    /// - Returns: What ``Loader/next()`` returns.
    /// - Throws: What ``Loader/next()`` throws.
    public func next() async throws(LoadingError) -> Batch? {
      let loader = loader
      let result: Result<Batch?, LoadingError> = await withCheckedContinuation { continuation in
        queue.async {
          continuation.resume(
            returning: Result { () throws(LoadingError) in try loader.loader.next() })
        }
      }
      return try result.get()
    }
  }
}

/// A loader that the queue's thread uses while the task that owns it waits.
private struct LentLoader: @unchecked Sendable {
  // Sound: the owner is suspended until the queue's thread is done with the loader.
  let loader: Loader
}
