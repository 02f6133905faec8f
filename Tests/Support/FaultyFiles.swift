package import Corpora

/// The file system with faults that a test puts in: calls that fail, come in pieces, or never
/// return.
package final class FaultyFiles: ByteFileOpener {
  /// What goes wrong.
  package enum Fault: Sendable, Equatable {
    /// The call fails with this errno.
    case fails(Int32)
    /// The call does not return before ``FaultyFiles/mend()``.
    case hangs
    /// A read gives at most so many bytes.
    case short(Int)
  }

  /// Which call it happens to.
  package enum Call: Sendable, Equatable {
    case open
    /// Looking whether something stands at a path, and what.
    case status
    /// Listing a folder.
    case names
    case close
    /// Reads of which some byte lies here.
    case read(Range<Int>)
  }

  private struct Rule {
    var fault: Fault
    var call: Call
    var suffix: String
    /// How often it still happens.
    var countLeft: Int

    func hangs(_ path: String) -> Bool {
      fault == .hangs && countLeft > 0 && path.hasSuffix(suffix)
    }
  }

  private struct State {
    var rules: [Rule] = []
    /// How often faults were mended; what hangs waits for the next time.
    var mendCount = 0
    var hangCount = 0
    var metCount = 0
  }

  private let state = Locked(State())
  private let monitor = Monitor()
  /// Whether the system holds nothing in memory, so that every read must wait.
  private let holdsNothing: Bool

  package init(holdsNothing: Bool = false) { self.holdsNothing = holdsNothing }

  /// How many calls hang now.
  package var hangCount: Int { state.withLock { $0.hangCount } }

  /// How many calls have met a fault.
  package var metCount: Int { state.withLock { $0.metCount } }

  /// Lets something go wrong with files whose paths end in `suffix`, `count` times.
  package func inject(_ fault: Fault, _ call: Call, of suffix: String, count: Int = .max) {
    state.withLock {
      $0.rules.append(Rule(fault: fault, call: call, suffix: suffix, countLeft: count))
    }
  }

  /// Ends all faults; what hangs goes on.
  package func mend() {
    monitor.lock()
    state.withLock {
      $0.rules = []
      $0.mendCount += 1
    }
    monitor.broadcast()
    monitor.unlock()
  }

  package func open(_ path: String) throws(CorpusError) -> any ByteFile {
    try meet(.open, of: path)
    return FaultyFile(try DiskOpener().open(path), path: path, faults: self)
  }

  package func status(of path: String) throws(CorpusError) -> FileStatus? {
    try meet(.status, of: path)
    return try DiskOpener().status(of: path)
  }

  package func names(in folder: String) throws(CorpusError) -> [BytePath] {
    try meet(.names, of: folder)
    return try DiskOpener().names(in: folder)
  }

  fileprivate func close(_ file: any ByteFile, path: String) {
    // There is no way to say that closing failed.
    try? meet(.close, of: path)
    file.close()
  }

  private func meet(_ call: Call, of path: String) throws(CorpusError) {
    switch meet(path, { $0 == call }) {
    case .fails(let code): throw .cannotOpen(path: path, code: code)
    case .hangs: hang()
    case .short, nil: break
    }
  }

  fileprivate func read(
    _ file: any ByteFile, path: String, into buffer: UnsafeMutableRawBufferPointer,
    at byteOffset: Int, waits: Bool
  ) -> ReadOutcome {
    if holdsNothing, !waits { return .notAtOnce }
    let wanted = byteOffset..<byteOffset + buffer.count
    func isMet(_ call: Call) -> Bool {
      if case .read(let bytes) = call { bytes.overlaps(wanted) } else { false }
    }
    var room = buffer
    if !waits, state.withLock({ $0.rules.contains { $0.hangs(path) && isMet($0.call) } }) {
      return .notAtOnce
    }
    switch meet(path, isMet) {
    case .fails(let code): return .failed(code: code)
    case .hangs: hang()
    case .short(let count): room = .init(rebasing: buffer[..<min(count, buffer.count)])
    case nil: break
    }
    return file.read(into: room, at: byteOffset, waits: waits)
  }

  private func meet(_ path: String, _ isMet: (Call) -> Bool) -> Fault? {
    state.withLock { state in
      let found = state.rules.indices.first {
        let rule = state.rules[$0]
        return rule.countLeft > 0 && path.hasSuffix(rule.suffix) && isMet(rule.call)
      }
      guard let found else { return nil }
      state.rules[found].countLeft -= 1
      state.metCount += 1
      return state.rules[found].fault
    }
  }

  private func hang() {
    monitor.lock()
    let begin = state.withLock {
      $0.hangCount += 1
      return $0.mendCount
    }
    while state.withLock({ $0.mendCount == begin }) { monitor.wait() }
    state.withLock { $0.hangCount -= 1 }
    monitor.unlock()
  }
}

/// A file of the file system behind its faults.
private final class FaultyFile: ByteFile {
  private let file: any ByteFile
  private let path: String
  private let faults: FaultyFiles

  init(_ file: any ByteFile, path: String, faults: FaultyFiles) {
    self.file = file
    self.path = path
    self.faults = faults
  }

  var version: FileVersion { file.version }

  func currentByteCount() -> Int { file.currentByteCount() }

  func close() { faults.close(file, path: path) }

  func read(into buffer: UnsafeMutableRawBufferPointer, at byteOffset: Int, waits: Bool)
    -> ReadOutcome
  {
    faults.read(file, path: path, into: buffer, at: byteOffset, waits: waits)
  }
}
