// Covers: RunJSON.swift, RunRecord.swift

import Foundation
import Testing
import Training

@Suite(.timeLimit(.minutes(5))) struct RunMetricsTests {
  @Test func meansAreOverDomainsAndOverHeldOutTokens() {
    let metrics = EvaluationMetrics(
      step: 4, tokenTotal: 100, losses: [1, nil, 4], heldOutTokenCounts: [300, 1000, 100],
      timeInSeconds: 1)
    #expect(metrics.unweightedMean == 2.5)
    // (1 · 300 + 4 · 100) / 400
    #expect(metrics.tokenWeightedMean == 1.75)
    let empty = EvaluationMetrics(
      step: 0, tokenTotal: 0, losses: [nil], heldOutTokenCounts: [0], timeInSeconds: 0)
    #expect(empty.unweightedMean == nil && empty.tokenWeightedMean == nil)
  }

  @Test func malformedLinesAreNamed() throws {
    let header = #"{"kind":"header","version":1,"domains":["a","b"],"units":{}}"# + "\n"
    let evaluation =
      #"{"kind":"evaluation","step":0,"token_total":0,"losses":[1,null],"time_in_seconds":0}"#
      + "\n"
    let cases: [(text: String, line: Int, reason: String)] = [
      ("", 1, "no header"), ("{}\n", 1, "missing"),
      (#"{"kind":"header","version":9,"domains":[],"units":{}}"# + "\n", 1, "version 9"),
      (header + "what\n", 2, "top level"), (header + evaluation + "{}\n", 3, "kind"),
      (header + evaluation.replacing("[1,null]", with: "[1]"), 2, "2 domains"),
      (header + evaluation.replacing("\"step\":0", with: "\"step\":\"x\""), 2, "step"),
    ]
    for (text, line, reason) in cases {
      let path = try write(text)
      #expect { try RunMetrics(at: path) } throws: { error in
        guard case RunError.metricsDamaged(path, line, let found) = error else { return false }
        return found.contains(reason)
      }
    }
    let torn = try RunMetrics(at: try write(header + evaluation + #"{"kind":"st"#))
    #expect(torn.evaluations.count == 1)
    #expect(torn.evaluations[0].losses == [1, nil])
  }

  @Test func malformedRecordsAreNamed() throws {
    let scratch = try RunScratch()
    let run = scratch.run("run", scratch.configuration(stepCount: 1))
    _ = try run.start()
    let whole = String(
      decoding: try Data(contentsOf: URL(fileURLWithPath: run.folder.recordPath)), as: UTF8.self)
    let cases: [(String, String)] = [
      ("", "record"), (String(whole.prefix(300)), "top level"),
      (whole.replacing("\"step_count\" : 1", with: "\"step_count\" : \"one\""), "Count"),
      (whole.replacing("headrace-run-record", with: "headrace-other"), "headrace-other"),
      (whole.replacing("\"version\" : 1", with: "\"version\" : 7"), "version 7"),
      (whole.replacing("\"losses\" : [", with: "\"losses\" : [ 1,"), "3 domains"),
    ]
    for (text, reason) in cases {
      let path = try write(text)
      #expect { try RunRecord.read(from: path) } throws: { error in
        guard case RunError.fileDamaged(path, _) = error else { return false }
        return "\(error)".contains(reason)
      }
    }
    let path = try write(whole)
    #expect(try RunRecord.read(from: path).domains.map(\.name) == ["alpha", "beta", "gamma"])
  }

  private func write(_ text: String) throws -> String {
    let path =
      FileManager.default.temporaryDirectory.path + "/headrace-record-" + UUID().uuidString
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    return path
  }
}
