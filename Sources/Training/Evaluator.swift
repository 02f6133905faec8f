internal import Corpora
internal import Loading

/// Measures the held-out loss of each domain, always on the same sequences.
struct Evaluator {
  let corpus: Corpus
  let configuration: RunConfiguration

  /// The mean loss of each domain, nats per token; nil where no held-out sequence is.
  func losses<Learner: Trainer>(
    trainer: inout Learner, step: Int
  ) throws(RunError) -> [Double?] {
    var losses: [Double?] = []
    for domain in corpus.domains.indices {
      losses.append(try loss(ofDomain: domain, trainer: &trainer, step: step))
    }
    return losses
  }

  private func loss<Learner: Trainer>(
    ofDomain domain: Int, trainer: inout Learner, step: Int
  ) throws(RunError) -> Double? {
    let length = configuration.sequenceLength
    let limit = configuration.evaluation.tokenLimit / length
    let reader: EvaluationReader
    do throws(LoadingError) {
      reader = try EvaluationReader(
        corpus, domainIndex: domain, sequenceLength: length,
        allowsUnusedTails: configuration.loader.allowsUnusedTails, sequences: 0..<limit,
        quarantined: configuration.loader.quarantine?.list ?? Quarantine())
    } catch {
      throw .loading(error)
    }
    let rows = configuration.model.microBatchRowCount
    var tokens = [Int32](repeating: 0, count: rows * (length + 1))
    var sum = 0.0
    var count = 0
    while true {
      let read: Result<Int, LoadingError> = tokens.withUnsafeMutableBufferPointer { buffer in
        do throws(LoadingError) {
          return .success(try reader.next(rows: rows, into: buffer))
        } catch {
          return .failure(error)
        }
      }
      let rowCount: Int
      do throws(LoadingError) { rowCount = try read.get() } catch { throw .loading(error) }
      if rowCount == 0 { return count == 0 ? nil : sum / Double(count) }
      do {
        let losses = try tokens.withUnsafeBufferPointer {
          try trainer.losses(
            tokens: UnsafeBufferPointer(rebasing: $0[..<(rowCount * (length + 1))]),
            rowCount: rowCount)
        }
        sum += losses.reduce(0, +)
        count += rowCount
      } catch {
        throw .evaluationFailed(
          step: step, domain: corpus.domains[domain].name, underlying: error)
      }
      guard sum.isFinite else {
        throw .evaluationFailed(
          step: step, domain: corpus.domains[domain].name,
          underlying: TrainingError.lossNotFinite(step: step, loss: sum))
      }
    }
  }
}
