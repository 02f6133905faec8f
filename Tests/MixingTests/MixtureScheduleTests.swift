import HeadraceTesting
import Mixing
import Testing

@Suite(.timeLimit(.minutes(5)))
struct MixtureScheduleTests {
  private let text = """
    {
      "format": "headrace-schedule", "version": 1, "unit": "steps",
      "stages": [
        {"until": 1000, "weights": {"code": 0.2, "prose": 0.8}},
        {"until": 5000, "ramp": 400, "weights": {"code": 0.5, "prose": 0.5}},
        {"weights": {"code": 0.9, "prose": 0.1}}
      ],
      "assumption": "tokens late in the run count twice", "source": "by hand", "note": 1
    }
    """

  private let schedule = MixtureSchedule(
    unit: .steps,
    stages: [
      .init(until: 1000, weights: ["code": 0.2, "prose": 0.8]),
      .init(until: 5000, ramp: 400, weights: ["code": 0.5, "prose": 0.5]),
      .init(weights: ["code": 0.9, "prose": 0.1]),
    ], assumption: "tokens late in the run count twice", source: "by hand")

  @Test func isReadFromAFile() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/schedule.json"
    try folder.write(Array(text.utf8), to: "schedule.json")
    #expect(try MixtureSchedule(atPath: path) == schedule)
    expectError("\(folder.path)/none.json: cannot be read: No such file or directory") {
      try MixtureSchedule(atPath: folder.path + "/none.json")
    }
    let empty = folder.path + "/empty.json"
    try folder.write(Array("{}".utf8), to: "empty.json")
    expectError(
      """
      \(empty): not a schedule, {"format": "headrace-schedule", "version": 1, "unit": …, "stages": \
      […]}: format: missing
      """
    ) { try MixtureSchedule(atPath: empty) }
  }

  @Test func whatIsWrittenIsReadAgain() throws {
    let json = try schedule.json()
    #expect(try MixtureSchedule(json: json) == schedule)
    #expect(!json.contains(UInt8(ascii: "\n")))
    // Weights come back bit for bit.
    let third = MixtureSchedule(
      unit: .tokens, stages: [.init(weights: ["a": 1 / 3.0, "b": 2 / 3.0])])
    #expect(try MixtureSchedule(json: try third.json()) == third)
  }

  @Test(arguments: [
    (
      #"{"format": "other", "version": 1}"#,
      #"it says format "other", version 1; a schedule says "headrace-schedule", version 1"#
    ),
    (
      #"{"format": "headrace-schedule", "version": 2}"#,
      #"it says format "headrace-schedule", version 2; a schedule says "headrace-schedule", "#
        + "version 1"
    ),
    (
      #"{"format": "headrace-schedule", "version": 1, "unit": "steps", "stages": []}"#,
      "a schedule needs at least one stage"
    ),
  ])
  func otherTextIsRefused(text: String, expected: String) {
    expectError(expected) { try MixtureSchedule(json: Array(text.utf8)) }
  }

  @Test func endsAndRampsAreChecked() {
    func refuse(_ stages: [(until: Int?, ramp: Int?)], _ text: String) {
      let schedule = MixtureSchedule(
        unit: .steps, stages: stages.map { .init(until: $0.until, ramp: $0.ramp, weights: [:]) })
      expectError(text) { try schedule.validate() }
    }
    let increase = "ends increase, from above 0"
    refuse([(0, nil)], "stage 1 of the schedule ends at 0, the stage before it at 0; \(increase)")
    refuse([(-5, nil)], "stage 1 of the schedule ends at -5, the stage before it at 0; \(increase)")
    refuse(
      [(7, nil), (7, nil)],
      "stage 2 of the schedule ends at 7, the stage before it at 7; \(increase)")
    refuse(
      [(.max, nil)],
      "stage 1 of the schedule ends at 9223372036854775807, the stage before it at 0; \(increase)")
    refuse(
      [(nil, nil), (7, nil)],
      "stage 1 of the schedule has no end (\"until\"); only the last stage may have none")
    refuse(
      [(7, 1)], "the ramp of stage 1 is 1 long; it lies in [0, 0], the length of the stage")
    refuse(
      [(7, nil), (9, 3)],
      "the ramp of stage 2 is 3 long; it lies in [0, 2], the length of the stage")
    refuse(
      [(7, nil), (9, -1)],
      "the ramp of stage 2 is -1 long; it lies in [0, 2], the length of the stage")
  }

  @Test func hostileTextIsAnErrorAndNothingElse() {
    var generator = TestGenerator(seed: 1)
    let whole = Array(text.utf8)
    for _ in 0..<500 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(
          in: 32...126, using: &generator)
      }
      bytes.removeLast(Int.random(in: 0...3, using: &generator))
      do {
        let schedule = try MixtureSchedule(json: bytes)
        _ = try SchedulePolicy(
          schedule, in: PolicyContext(domainNames: ["code", "prose"], sequenceCounts: [1, 1]))
      } catch {
        #expect(!"\(error)".isEmpty)
      }
    }
  }
}
