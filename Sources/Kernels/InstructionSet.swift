import CKernels

/// The vector instructions that a kernel runs with, chosen when the program runs.
///
/// Numbers are bit-exact for one instruction set, so a run's record names it.
package enum InstructionSet: Int32, Sendable, CaseIterable, CustomStringConvertible {
  /// Plain C, as the compiler's baseline translates it.
  case generic = 0
  /// AVX2 with fused multiply-add, on x86-64.
  case avx2 = 1
  /// AVX-512 F, on x86-64.
  case avx512 = 2

  /// The widest one that this machine and this build can run.
  package static let best = InstructionSet(rawValue: headrace_best_instruction_set()) ?? .generic

  /// Whether this machine and this build can run it.
  package var isSupported: Bool { headrace_supports(rawValue) == 1 }

  /// The name that run records carry: "avx512", "avx2" or "generic".
  package var description: String { String(cString: headrace_instruction_set_name(rawValue)) }
}
