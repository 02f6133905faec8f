import Kernels
import Testing

@Suite(.timeLimit(.minutes(5))) struct InstructionSetTests {
  @Test func theBestOneRunsHere() {
    #expect(InstructionSet.best.isSupported)
    #expect(InstructionSet.generic.isSupported)
  }

  @Test func namesAreThoseOfRunRecords() {
    #expect(InstructionSet.allCases.map(\.description) == ["generic", "avx2", "avx512"])
  }
}
