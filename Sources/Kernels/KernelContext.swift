import CKernels

/// What kernels run with: an instruction set, a team of threads, and one workspace per thread.
///
/// Belongs to one caller at a time, as its team does. Results are the same, bit for bit, for every
/// number of threads.
package final class KernelContext: Sendable {
  /// The vector instructions in use.
  package let instructionSet: InstructionSet
  /// The threads that split the kernels' loops.
  package let team: ThreadTeam
  /// Where each thread packs the operands of its products.
  private let workspaces: [FloatArray]

  /// Creates a context with threads of its own.
  ///
  /// - Precondition: this machine supports `instructionSet`.
  package init(threadCount: Int, instructionSet: InstructionSet = .best) {
    precondition(instructionSet.isSupported, "this machine does not run \(instructionSet)")
    self.instructionSet = instructionSet
    team = ThreadTeam(threadCount: threadCount)
    let floatCount = headrace_matrix_workspace_byte_count() / MemoryLayout<Float>.stride
    workspaces = (0..<threadCount).map { _ in FloatArray(count: floatCount) }
  }

  /// The instruction set in the form that kernels take.
  var set: headrace_instruction_set { instructionSet.rawValue }

  /// The workspace of one thread of the team.
  func workspace(ofThread thread: Int) -> UnsafeMutablePointer<Float> { workspaces[thread].start }
}
