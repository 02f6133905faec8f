internal import Corpora

/// How long the caller still waits for a thread that decodes: as long as the thread gets on, and
/// the timeout longer.
///
/// An eighth of the timeout, at most a second, is added to it: a thread's own read gives up after
/// the timeout, and what the thread says of it is said once.
struct DecodeWatch {
  private let timeoutInMilliseconds: Int
  /// When to look whether the thread got on.
  private(set) var deadline: Deadline

  /// Begins a wait now.
  init(timeoutInMilliseconds: Int) {
    self.timeoutInMilliseconds =
      timeoutInMilliseconds + min(timeoutInMilliseconds / 8, 1000)
    deadline = Deadline(inMilliseconds: self.timeoutInMilliseconds)
  }

  /// Looks at a thread after the deadline has passed; nil for no thread that is known.
  ///
  /// - Returns: What the thread is stuck in; nil if it got on since the wait began, which moves the
  ///   deadline.
  mutating func stuck(_ activity: ReadActivity?) -> ReadActivity.Record? {
    let record = activity?.current
    let later = Deadline(
      inMilliseconds: timeoutInMilliseconds, after: record?.moment ?? Moment())
    guard later.isPast else {
      deadline = later
      return nil
    }
    return record
  }
}
