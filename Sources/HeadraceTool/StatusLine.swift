#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// A line on standard error that is redrawn in place on a terminal, and written anew elsewhere.
struct StatusLine {
  /// Whether a person watches it.
  let isTerminal = StandardError.isTerminal
  /// Whether the line stands there now, where it can be redrawn.
  private(set) var isShown = false

  private static let eraseLine = "\r\u{1B}[K"

  /// Shows `text` in place of what the line said before.
  mutating func show(_ text: String) {
    StandardError.write(isTerminal ? Self.eraseLine + Self.cut(text) : text + "\n")
    isShown = isTerminal
  }

  /// Writes a line that stays.
  mutating func note(_ text: String) {
    StandardError.write((isShown ? Self.eraseLine : "") + text + "\n")
    isShown = false
  }

  /// Leaves the line behind, or takes it away.
  mutating func end(erasing: Bool = false) {
    if isShown { StandardError.write(erasing ? Self.eraseLine : "\n") }
    isShown = false
  }

  /// The text, no longer than the terminal is wide: a wrapped line cannot be redrawn.
  private static func cut(_ text: String) -> String {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 1 else { return text }
    return String(text.prefix(Int(size.ws_col) - 1))
  }
}
