import Corpora
import Synchronization
import Testing

@Suite struct MonitorTests {
  @Test(.timeLimit(.minutes(5)))
  func aThreadWakesWhoWaits() {
    let monitor = Monitor()
    let isDone = Atomic(false)
    monitor.lock()
    #expect(
      startThread {
        monitor.lock()
        isDone.store(true, ordering: .relaxed)
        monitor.broadcast()
        monitor.unlock()
      })
    while !isDone.load(ordering: .relaxed) { monitor.wait() }
    monitor.unlock()
  }

  @Test(.timeLimit(.minutes(5)))
  func aWaitIsGivenUpAtItsDeadline() {
    let monitor = Monitor()
    monitor.lock()
    #expect(!monitor.wait(until: Deadline(inMilliseconds: 0)))
    monitor.unlock()
  }
}
