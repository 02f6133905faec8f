#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// How often something failed in a row, and whether it is worth another attempt.
struct Attempts {
  private var failureCount = 0
  private var interruptionCount = 0

  /// How often what failed with EIO is tried before the error is thrown.
  private static let attemptLimit = 4
  /// How often what was interrupted is tried.
  private static let interruptionLimit = 1000
  /// The pause before a second attempt; each further one waits twice as long.
  private static let pauseInMicroseconds: useconds_t = 10_000

  /// Whether what failed with `code` is worth another attempt; pauses before it.
  mutating func mayTryAgain(after code: Int32) -> Bool {
    if code == EINTR {
      interruptionCount += 1
      return interruptionCount < Self.interruptionLimit
    }
    failureCount += 1
    guard code == EIO || code == EAGAIN, failureCount < Self.attemptLimit else { return false }
    usleep(Self.pauseInMicroseconds << useconds_t(failureCount - 1))
    return true
  }

  /// Makes a call again for as long as it fails with what may pass.
  static func untilDone<Value>(_ call: () throws(CorpusError) -> Value) throws(CorpusError)
    -> Value
  {
    var attempts = Attempts()
    while true {
      do throws(CorpusError) { return try call() } catch {
        switch error {
        case .cannotOpen(_, let code), .cannotRead(_, _, let code):
          guard attempts.mayTryAgain(after: code) else { throw error }
        default: throw error
        }
      }
    }
  }
}
