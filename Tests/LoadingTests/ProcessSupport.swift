import Foundation

/// How many threads the process has; 0 where the system does not say.
func threadCountOfProcess() -> Int {
  (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count) ?? 0
}

/// Lets other threads run for a millisecond.
func sleepBriefly() { usleep(1000) }
