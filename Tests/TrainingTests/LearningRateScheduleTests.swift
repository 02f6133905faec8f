import Testing
import Training

@Suite(.timeLimit(.minutes(5))) struct LearningRateScheduleTests {
  @Test func valuesAreThoseWorkedByHand() {
    let schedule = LearningRateSchedule(
      learningRateMaximum: 1, learningRateMinimum: 0.2, warmUpStepCount: 4, stepCount: 10)
    // Warm-up by quarters; then 0.2 + 0.8 (1 + cos(π k / 6)) / 2 for k = 1…6, with
    // cos = 0.8660254, 1/2, 0, −1/2, −0.8660254, −1; then the minimum.
    let expected = [
      0.25, 0.5, 0.75, 1, 0.9464102, 0.8, 0.6, 0.4, 0.2535898, 0.2, 0.2, 0.2,
    ]
    for (index, value) in expected.enumerated() {
      #expect(abs(schedule.rate(atStep: index + 1) - value) < 1e-7)
    }
  }

  @Test func withoutWarmUpTheCosineStartsAtOnce() {
    let schedule = LearningRateSchedule(
      learningRateMaximum: 1, learningRateMinimum: 0, warmUpStepCount: 0, stepCount: 2)
    #expect(abs(schedule.rate(atStep: 1) - 0.5) < 1e-15 && schedule.rate(atStep: 2) == 0)
  }

  @Test func warmUpOnlyEndsAtItsMaximum() {
    let schedule = LearningRateSchedule(
      learningRateMaximum: 1, learningRateMinimum: 0.5, warmUpStepCount: 3, stepCount: 3)
    #expect(schedule.rate(atStep: 3) == 1 && schedule.rate(atStep: 4) == 0.5)
  }
}
