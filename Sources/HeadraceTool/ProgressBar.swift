/// A line on standard error that says how far work has come.
///
/// On a terminal it is redrawn in place, elsewhere written anew every few seconds.
struct ProgressBar {
  /// How far the work is.
  struct State {
    /// What is being done.
    var label: String
    /// The share that is done, in [0, 1].
    var fraction: Double
    /// The bytes of the whole work, for the rate; 0 if that says nothing.
    var totalByteCount = 0
    /// What else is known, behind rate and time left.
    var detail = ""
    /// Whether the line is shown however short a time ago the last one was.
    var isLast = false
  }

  private var statusLine = StatusLine()
  private var lastTime: ContinuousClock.Instant?
  private var firstTime: ContinuousClock.Instant?
  /// The share that was done at the first call: what an earlier run has done takes no time.
  private var firstFraction = 0.0

  private static let width = 24

  /// Shows the state, unless one was shown just now.
  mutating func show(_ state: State) {
    let now = ContinuousClock.now
    guard let first = firstTime, let last = lastTime else {
      (firstTime, lastTime, firstFraction) = (now, now, state.fraction)
      return
    }
    let interval: Duration = statusLine.isTerminal ? .milliseconds(100) : .seconds(5)
    if now - last < interval && !(state.isLast && statusLine.isShown) { return }
    lastTime = now
    statusLine.show(line(of: state, seconds: (now - first) / .seconds(1)))
  }

  /// Writes a line that stays.
  mutating func note(_ line: String) { statusLine.note(line) }

  /// Leaves the bar behind, or takes it away.
  mutating func end(erasing: Bool = false) { statusLine.end(erasing: erasing) }

  private func line(of state: State, seconds: Double) -> String {
    var line = state.label + " "
    let fraction = min(1, max(0, state.fraction))
    if statusLine.isTerminal {
      let filled = Int(fraction * Double(Self.width))
      line += "[" + String(repeating: "#", count: filled)
      line += String(repeating: "-", count: Self.width - filled) + "] "
    }
    line += "\(Int(fraction * 100)) %"
    let done = fraction - firstFraction
    if seconds > 0, done > 0 {
      if state.totalByteCount > 0 {
        let rate = done * Double(state.totalByteCount) / seconds
        line += ", \(NumberText.fixed(rate / 1e6, digits: 1)) MB/s"
      }
      line += ", \(NumberText.duration(seconds * (1 - fraction) / done)) left"
    }
    return state.detail.isEmpty ? line : line + ", " + state.detail
  }
}
