internal import Loading
internal import Mixing
internal import Training

/// Which errors say that the command line is wrong, although it was understood.
///
/// What an option may be often depends on the corpus, so that it is found out only behind the
/// parser. A file that an option names is another matter: what is wrong with it is a failure.
enum CommandLineFault {
  /// Whether the exit code is that of a wrong command line.
  static func explains(_ error: any Error) -> Bool {
    switch error {
    case RunError.mixing(let error), RunError.loading(.mixing(let error)),
      LoadingError.mixing(let error):
      isOption(error)
    case let error as MixingError: isOption(error)
    case RunError.training(let error): isSetting(error)
    case let error as TrainingError: isSetting(error)
    default: false
    }
  }

  private static func isOption(_ error: MixingError) -> Bool {
    switch error {
    case .unknownPolicy, .unknownOption, .unreadOption, .missingOption, .malformedOption,
      .frozenPolicyReadsGradients:
      true
    case .domainWeightRefused, .weightNotFinite, .weightNegative, .weightsDoNotSumToOne,
      .weightsAllZero,
      .weightSumNotFinite, .unknownDomain, .missingDomains, .duplicateDomain, .exponentOutOfRange:
      true
    case .floorInfeasible, .capInfeasible, .floorAboveCap, .priorWithoutDomain: true
    default: false
    }
  }

  private static func isSetting(_ error: TrainingError) -> Bool {
    switch error {
    case .settingOutOfRange, .numberOutOfRange, .widthDoesNotDivide, .watchedParametersMalformed:
      true
    default: false
    }
  }
}
