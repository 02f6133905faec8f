internal import Corpora
internal import Logging

/// Takes what a loader logs and tells it to a run's observer, between steps.
final class LoaderNotices: Sendable {
  private let texts = Locked<[String]>([])

  /// What a loader's logger writes to.
  var handler: any LogHandler { Handler(notices: self) }

  /// Tells the observer what was logged since the last call.
  func tell(_ observer: any RunObserver) {
    let logged = texts.withLock { texts in
      defer { texts.removeAll() }
      return texts
    }
    for text in logged { observer.training(notice: .loader(text)) }
  }

  private struct Handler: LogHandler {
    let notices: LoaderNotices
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.notice

    init(notices: LoaderNotices) { self.notices = notices }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { notices.texts.withLock { $0.append("\(event.message)") } }
  }
}
