import Fitting
import Testing

@Suite(.timeLimit(.minutes(5)))
struct MixtureConstraintsTests {
  @Test func capsAreWhatTheTokensAllow() throws {
    // 4 epochs of 30 tokens are 120 of 1,000; 2 of 900 are more than all.
    let caps = try MixtureConstraints.caps(
      available: [30, 900, 0], epochs: [4, 2, 1], tokenCount: 1000)
    expectClose(caps, [0.12, 1, 0], within: 1e-15)
    #expect(throws: FittingError.settingCount(setting: "epochs", expected: 1, found: 2)) {
      try MixtureConstraints.caps(available: [1], epochs: [1, 1], tokenCount: 1)
    }
    #expect(
      throws: FittingError.settingOutOfRange(setting: "tokens of the run", index: 0, value: 0)
    ) {
      try MixtureConstraints.caps(available: [1], epochs: [1], tokenCount: 0)
    }
  }

  @Test func boundsThatNoMixtureKeepsAreRefused() {
    func error(_ constraints: MixtureConstraints) -> FittingError? {
      do throws(FittingError) {
        try constraints.validate()
        return nil
      } catch {
        return error
      }
    }
    #expect(error(MixtureConstraints(domainCount: 0)) == .noRuns)
    #expect(
      error(MixtureConstraints(domainCount: 4, caps: [0.2, 0.2, 0.2, 0.2]))
        == .boundsInfeasible(floorSum: 0, capSum: 0.8))
    #expect(
      error(MixtureConstraints(domainCount: 2, floors: [0.75, 0.5]))
        == .boundsInfeasible(floorSum: 1.25, capSum: 2))
    #expect(
      error(MixtureConstraints(domainCount: 2, floors: [0.5, 0], caps: [0.25, 1]))
        == .floorAboveCap(domainIndex: 0, floor: 0.5, cap: 0.25))
    #expect(
      error(MixtureConstraints(domainCount: 2, floors: [-0.1, 0]))
        == .settingOutOfRange(setting: "floors", index: 0, value: -0.1))
    #expect(
      error(MixtureConstraints(domainCount: 2, caps: [1]))
        == .settingCount(setting: "caps", expected: 2, found: 1))
    #expect(
      error(MixtureConstraints(domainCount: 2, prior: [0.5, 0.25], priorStrength: 1))
        == .settingOutOfRange(setting: "sum of the prior", index: 0, value: 0.75))
    #expect(
      error(MixtureConstraints(domainCount: 2, priorStrength: 1))
        == .settingOutOfRange(setting: "strength of the prior", index: 0, value: 1))
    // What the prior gives nothing to gets nothing.
    #expect(
      error(MixtureConstraints(domainCount: 2, floors: [0, 0.1], prior: [1, 0], priorStrength: 1))
        == .floorAboveCap(domainIndex: 1, floor: 0.1, cap: 0))
    #expect(error(MixtureConstraints(domainCount: 2, caps: [0.5, 0.5])) == nil)
  }
}
