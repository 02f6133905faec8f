import Foundation
import HeadraceTesting
import Loading
import RankProcess
import Testing

/// What a rank's process wrote.
struct RankOutput {
  /// The rows in order: step, row over all ranks, domain, epoch, tokens.
  var rows: [String] = []
  var digests: [String] = []
  var failures: [String] = []
  /// Whether there was a step without a batch.
  var hasEnded = false

  init(path: String) throws {
    let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
    for line in text.split(separator: "\n").map(String.init) {
      if line.hasPrefix("row ") {
        rows.append(line)
      } else if line.hasPrefix("digest ") {
        digests.append(line)
      } else if line.hasPrefix("failed ") {
        failures.append(line)
      } else {
        hasEnded = hasEnded || line == "end"
      }
    }
  }
}

/// Starts a process for every script, all at once, and waits for them without holding a thread.
func runProcesses(_ scripts: [RankScript]) async throws -> [RankOutput] {
  // The built products lie beside the program that runs the tests.
  let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
  let folder = URL(fileURLWithPath: program).deletingLastPathComponent().path
  let ends = try scripts.map { script in
    let path = script.output + ".script"
    try JSONEncoder().encode(script).write(to: URL(fileURLWithPath: path))
    let process = Process()
    process.executableURL = URL(fileURLWithPath: folder + "/RankProcess")
    process.arguments = [path]
    let (ended, end) = AsyncStream<Bool>.makeStream()
    process.terminationHandler = {
      end.yield($0.terminationReason == .exit && $0.terminationStatus == 0)
      end.finish()
    }
    try process.run()
    return ended
  }
  var outputs: [RankOutput] = []
  for (script, end) in zip(scripts, ends) {
    let isAborting = script.actions.contains { if case .abort = $0 { true } else { false } }
    for await isWhole in end {
      #expect(isWhole != isAborting, "rank \(script.rank) of \(script.worldSize)")
    }
    outputs.append(try RankOutput(path: script.output))
  }
  return outputs
}

/// Runs a script as so many ranks; what they write lies beside `script.output`.
func run(_ script: RankScript, ranks worldSize: Int) async throws -> [RankOutput] {
  try await runProcesses(
    (0..<worldSize).map { rank in
      var script = script
      (script.rank, script.worldSize) = (rank, worldSize)
      script.output += "-\(worldSize)-\(rank)"
      script.actions = script.actions.map {
        // Every rank saves a checkpoint of its own, to be compared.
        if case .save(let path) = $0 { .save(path + "-\(rank)") } else { $0 }
      }
      return script
    })
}

/// The rows of all ranks, in the order of steps and rows.
func union(_ outputs: [RankOutput]) -> [String] {
  func place(_ line: String) -> (Int, Int) {
    let parts = line.split(separator: " ", maxSplits: 3)
    return (Int(parts[1]) ?? -1, Int(parts[2]) ?? -1)
  }
  return outputs.flatMap(\.rows).map { (place($0), $0) }.sorted { $0.0 < $1.0 }.map(\.1)
}
