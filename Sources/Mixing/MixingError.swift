/// What can be wrong with a mixture, with feedback, or with how a policy is asked for.
///
/// The cases hold data; the text is made in `MixingError+Description.swift`.
public enum MixingError: Error, Sendable {
  // Mixtures.

  /// A mixture of no domains.
  case emptyMixture
  /// A weight that is NaN or infinite.
  case weightNotFinite(domainIndex: Int, value: Double)
  /// A weight below 0.
  case weightNegative(domainIndex: Int, value: Double)
  /// Weights whose sum is not 1 within ``Mixture/sumTolerance``.
  case weightsDoNotSumToOne(sum: Double)
  /// Weights that are all 0 have no proportions.
  case weightsAllZero(domainCount: Int)
  /// Weights so large that their sum is not a number.
  case weightSumNotFinite
  /// An integer share below 0.
  case shareNegative(domainIndex: Int, value: Int64)
  /// Integer shares whose sum differs from 2^48; `difference` is how far at the first place where
  /// it is certain.
  case sharesDoNotSumToOne(difference: Int64)
  /// A mixture for another number of domains than the run has.
  case mixtureDomainCount(expected: Int, found: Int)

  // Domains by name.

  /// Weights that name a domain which the corpus does not have.
  case unknownDomain(name: String, near: [String])
  /// Weights that leave out domains of the corpus; 0 has to be said.
  case missingDomains(names: [String])
  /// A weight, given by name, that is NaN, infinite or below 0.
  case domainWeightRefused(name: String, value: Double)
  /// Weights that name a domain twice.
  case duplicateDomain(name: String)
  /// The exponent of a temperature mixture, outside ``StaticMixture/exponentRange``.
  case exponentOutOfRange(value: Double)
  /// A mixture follows from the domains' sizes, and nobody knows those of these.
  case unknownSizes(domains: [String])

  // Mixture files.

  /// A file that cannot be read; `errorNumber` is the system's.
  case fileUnreadable(path: String, errorNumber: Int32)
  /// A file that is larger than what is read of its kind.
  case fileTooLarge(path: String, byteLimit: Int)
  /// A file that is not the JSON that a mixture file is.
  case fileMalformed(path: String, underlying: any Error)
  /// A file whose weights are no mixture of this corpus.
  indirect case fileRefused(path: String, underlying: MixingError)

  // Feedback.

  /// An array of another length than the domains ask for.
  case feedbackShape(field: FeedbackField, expected: Int, found: Int)
  /// A NaN or an infinity, at a place of a flat array.
  case feedbackNotFinite(field: FeedbackField, index: Int, value: Double)
  /// A count, a share or a norm below 0, at a place of a flat array.
  case feedbackNegative(field: FeedbackField, index: Int, value: Double)
  /// The policy reads something that the trainer did not measure.
  case feedbackMissing(field: FeedbackField)
  /// A step below 1.
  case stepNotPositive(step: Int)
  /// Feedback for a step that no batch was handed out for.
  case stepNotHandedOut(step: Int, lastHandedOut: Int)
  /// Feedback for a step that is not later than the last one observed.
  case stepAlreadyObserved(step: Int, lastObserved: Int)

  // Policies by name.

  /// A policy name that is not in the registry.
  case unknownPolicy(name: String, near: [String], known: [String])
  /// A policy name that is in the registry already.
  case duplicatePolicy(name: String)
  /// An option that the policy does not have.
  case unknownOption(policy: String, option: String, near: [String], known: [String])
  /// An option that another one, such as `form=exp3`, leaves without meaning.
  case unreadOption(policy: String, option: String, with: String)
  /// A policy that is to learn nothing, but whose state reads gradients.
  case frozenPolicyReadsGradients(state: String)
  /// A policy whose memory or schedule needs to know how many steps the run is planned for.
  case plannedStepsUnknown(policy: String)
  /// An option that the other options ask for.
  case missingOption(policy: String, option: String)
  /// An option with a value that cannot be read; `expected` says what can.
  case malformedOption(policy: String, option: String, value: String, expected: String)

  // Bounds.

  /// A floor that K domains cannot all have.
  case floorInfeasible(floor: Double, domainCount: Int)
  /// A cap under which K domains do not reach 1.
  case capInfeasible(cap: Double, domainCount: Int)
  /// A floor above the cap.
  case floorAboveCap(floor: Double, cap: Double)
  /// A prior that gives a domain nothing, from which no mixture with that domain has a finite
  /// divergence.
  case priorWithoutDomain(name: String)

  // Schedules and trajectories.

  /// A schedule without stages.
  case scheduleEmpty
  /// A stage, counted from 1, that ends where the one before it ends, or earlier.
  case scheduleNotIncreasing(stage: Int, until: Int, previous: Int)
  /// A stage before the last one, counted from 1, without an end.
  case scheduleWithoutEnd(stage: Int)
  /// A stage, counted from 1, whose ramp is negative or longer than the stage.
  case scheduleRamp(stage: Int, ramp: Int, length: Int)
  /// A text that is not the JSON that a schedule is.
  case scheduleMalformed(underlying: any Error)
  /// A schedule file of another format or version.
  case scheduleFormat(format: String, version: Int)
  /// A stage, counted from 1, whose weights are no mixture of this corpus.
  indirect case scheduleStage(stage: Int, underlying: MixingError)
  /// A batch behind the end of the schedule; `done` are the steps or tokens before it.
  case scheduleEnded(until: Int, done: Int, unit: String)
  /// A trajectory of other domains than the corpus has.
  case trajectoryOfOtherDomains(source: String, missing: [String], unknown: [String])
  /// A step that was not recorded; the recorded ones are `first` to `last`.
  case trajectoryStepMissing(source: String, step: Int, first: Int, last: Int)
  /// A recorded trajectory that cannot be read.
  case trajectoryUnreadable(source: String, underlying: any Error)

  // Checkpoints.

  /// A checkpoint of the same policy with another setting; nil where the setting has its default.
  case checkpointOfOtherSetting(
    policy: String, option: String, saved: String?, configured: String?)
  /// A checkpoint that another policy wrote.
  case checkpointOfOtherPolicy(expected: String, found: String)
  /// A checkpoint of a static policy with another mixture than the configured one.
  case checkpointOfOtherMixture(domainIndex: Int, saved: Int64, configured: Int64)
  /// A checkpoint that cannot be read.
  case checkpointMalformed(policy: String, underlying: any Error)
  /// An array of a checkpoint that has another size than the policy's own.
  case checkpointOfOtherShape(policy: String, array: String, expected: Int, found: Int)
  /// A file that is not a saved policy, or is damaged.
  case savedPolicyMalformed(path: String, underlying: any Error)
  /// A saved policy that differs from the configured one in what cannot be taken over.
  case savedPolicyDiffers(property: SavedPolicyProperty, saved: String, configured: String)
  /// Packed arrays that are not those of the checkpoint.
  case checkpointArraysDamaged(policy: String, byteCount: Int)
  /// A policy's memory that cannot be written, such as one that holds NaN.
  case checkpointNotEncodable(policy: String, underlying: any Error)
  /// Credits for no domain, or for more than ``Apportionment/domainCountRange`` allows.
  case domainCountOutOfRange(count: Int)
  /// Credits that do not sum to 0.
  case creditsDoNotSumToZero
  /// Credits that owe more draws to all domains together than any history of draws can.
  case owedOutOfRange(drawCount: Int)
  /// A credit that no history of draws can reach.
  case creditOutOfRange(domainIndex: Int, value: Int64)
}
