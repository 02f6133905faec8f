#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension MixingError: CustomStringConvertible {
  /// What was found, where, and what to do.
  public var description: String {
    mixtureText ?? domainText ?? fileText ?? feedbackText ?? policyText ?? boundsText
      ?? scheduleText ?? trajectoryText ?? checkpointText
  }

  private var mixtureText: String? {
    switch self {
    case .emptyMixture:
      "a mixture needs at least one domain"
    case .weightNotFinite(let index, let value):
      "the weight of domain \(index) is \(value); weights are finite numbers"
    case .weightNegative(let index, let value):
      "the weight of domain \(index) is \(value); weights are at least 0"
    case .weightsDoNotSumToOne(let sum):
      "the weights sum to \(sum), not 1 (within \(Mixture.sumTolerance)); divide each by the sum"
    case .weightsAllZero(let count):
      "all \(count) weights are 0; at least one domain needs a positive weight"
    case .weightSumNotFinite:
      "the sum of the weights is too large for a Double; divide them by a common number"
    case .shareNegative(let index, let value):
      "the integer share of domain \(index) is \(value); shares are at least 0"
    case .sharesDoNotSumToOne(let difference):
      """
      the integer shares sum to \(difference < 0 ? "" : "at least ")2^48 \
      \(difference < 0 ? "−" : "+") \(difference.magnitude), not 2^48
      """
    case .mixtureDomainCount(let expected, let found):
      "the mixture is for \(found) domains, the run has \(expected)"
    default: nil
    }
  }

  private var domainText: String? {
    switch self {
    case .unknownDomain(let name, let near):
      "the corpus has no domain '\(name)'\(suggestion(near))"
    case .missingDomains(let names):
      """
      no weight is given for \(names.count == 1 ? "domain" : "domains") \(quoted(names)); \
      a domain that shall not be drawn needs weight 0
      """
    case .duplicateDomain(let name):
      "domain '\(name)' is given a weight twice"
    case .exponentOutOfRange(let value):
      """
      the exponent of a temperature mixture is \(value); it lies in \
      [\(StaticMixture.exponentRange.lowerBound), \(StaticMixture.exponentRange.upperBound)], \
      0 is uniform and 1 natural
      """
    case .unknownSizes(let domains):
      "how much text \(domains.joined(separator: ", ")) has is not known before it is read: give "
        + "weights, take the uniform mixture, or pack the text first (headrace pack)"
    default: nil
    }
  }

  private var fileText: String? {
    switch self {
    case .fileUnreadable(let path, let errorNumber):
      "\(path): cannot be read: \(String(cString: strerror(errorNumber)))"
    case .fileTooLarge(let path, let byteLimit):
      "\(path): larger than \(byteLimit) bytes, which no such file is"
    case .fileMalformed(let path, let underlying):
      """
      \(path): not a mixture file, {"weights": {"domain": weight, …}}: \(explanation(underlying))
      """
    case .fileRefused(let path, let underlying):
      "\(path): \(underlying)"
    default: nil
    }
  }

  private var feedbackText: String? {
    switch self {
    case .feedbackShape(let field, let expected, let found):
      "the feedback's \(field.rawValue) have \(found) values; \(expected) are needed"
    case .feedbackNotFinite(let field, let index, let value):
      "the feedback's \(field.rawValue)[\(index)] is \(value); a policy learns from finite numbers"
    case .feedbackNegative(let field, let index, let value):
      "the feedback's \(field.rawValue)[\(index)] is \(value); it is at least 0"
    case .feedbackMissing(let field):
      "the policy reads \(field.rawValue), which the feedback does not have; have the trainer measure "
        + "what the loader's feedbackNeeds name, or choose another policy"
    case .stepNotPositive(let step):
      "feedback for step \(step); steps are counted from 1"
    case .stepNotHandedOut(let step, let last):
      "feedback for step \(step), but the last batch handed out is that of step \(last)"
    case .stepAlreadyObserved(let step, let last):
      "feedback for step \(step), but step \(last) was observed already; steps only go forward"
    default: nil
    }
  }

  private var policyText: String? {
    switch self {
    case .unknownPolicy(let name, let near, let known):
      """
      unknown policy '\(name)'\(suggestion(near)); known policies: \
      \(known.joined(separator: ", "))
      """
    case .duplicatePolicy(let name):
      "a policy with the name '\(name)' is registered already; names are unique"
    case .unknownOption(let policy, let option, let near, let known):
      """
      policy '\(policy)' has no option '\(option)'\(suggestion(near)); its options: \
      \(known.isEmpty ? "none" : known.joined(separator: ", "))
      """
    case .plannedStepsUnknown(let policy):
      "the policy \(policy) reads how far the run is, and nobody said how many steps are planned; give "
        + "the loader's options a stepCount"
    case .missingOption(let policy, let option):
      "policy '\(policy)' needs the option '\(option)' here"
    case .malformedOption(let policy, let option, let value, let expected):
      "option '\(option)' of policy '\(policy)' is '\(value)'; expected: \(expected)"
    default: nil
    }
  }

  private var boundsText: String? {
    switch self {
    case .floorInfeasible(let floor, let count):
      "\(count) domains cannot all have the floor of \(floor): together that is more than 1; the "
        + "floor is at most 1/\(count)"
    case .capInfeasible(let cap, let count):
      "\(count) domains under the cap of \(cap) do not reach 1 together; the cap is at least "
        + "1/\(count)"
    case .floorAboveCap(let floor, let cap):
      "the floor of \(floor) is above the cap of \(cap)"
    case .priorWithoutDomain(let name):
      """
      the prior gives domain '\(name)' nothing, so that the divergence of any mixture with it is \
      infinite; give the prior a weight for it, or set a floor
      """
    default: nil
    }
  }

  private var scheduleText: String? {
    switch self {
    case .scheduleEmpty:
      "a schedule needs at least one stage"
    case .scheduleNotIncreasing(let stage, let until, let previous):
      "stage \(stage) of the schedule ends at \(until), the stage before it at \(previous); ends "
        + "increase, from above 0"
    case .scheduleWithoutEnd(let stage):
      "stage \(stage) of the schedule has no end (\"until\"); only the last stage may have none"
    case .scheduleRamp(let stage, let ramp, let length):
      "the ramp of stage \(stage) is \(ramp) long; it lies in [0, \(length)], the length of "
        + "the stage"
    case .scheduleMalformed(let underlying):
      """
      not a schedule, {"format": "\(MixtureSchedule.format)", "version": \
      \(MixtureSchedule.version), "unit": …, "stages": […]}: \(explanation(underlying))
      """
    case .scheduleFormat(let format, let version):
      """
      it says format "\(format)", version \(version); a schedule says \
      "\(MixtureSchedule.format)", version \(MixtureSchedule.version)
      """
    case .scheduleStage(let stage, let underlying):
      "stage \(stage) of the schedule: \(underlying)"
    case .scheduleEnded(let until, let done, let unit):
      "the schedule ends after \(until) \(unit), and a batch behind \(done) is asked for; let its last "
        + "stage go on for ever (no \"until\"), or make the run shorter"
    default: nil
    }
  }

  private var trajectoryText: String? {
    switch self {
    case .trajectoryOfOtherDomains(let source, let missing, let unknown):
      "\(source) was recorded over other domains: "
        + [
          missing.isEmpty ? nil : "it lacks \(quoted(missing))",
          unknown.isEmpty ? nil : "the corpus lacks \(quoted(unknown))",
        ].compactMap { $0 }.joined(separator: ", ")
        + "; replay it on the corpus of its run"
    case .trajectoryStepMissing(let source, let step, let first, let last):
      "\(source) does not have step \(step); it has the steps \(first) to \(last)"
    case .trajectoryUnreadable(_, let underlying):
      "the recorded run cannot be replayed: \(underlying)"
    default: nil
    }
  }

  private var checkpointText: String {
    switch self {
    case .checkpointOfOtherSetting(let policy, let option, let saved, let configured):
      """
      the checkpoint of policy '\(policy)' was made with \(option) = \(saved ?? "its default"), \
      the run has \(configured ?? "the default"); resume with the same or start the policy anew
      """
    case .checkpointOfOtherPolicy(let expected, let found):
      """
      the checkpoint was written by policy '\(found)', the run has policy '\(expected)'; \
      resume with '\(found)' or start the policy anew
      """
    case .checkpointOfOtherMixture(let index, let saved, let configured):
      """
      the checkpoint's static mixture gives domain \(index) the share \(saved) of 2^48, the \
      configured one \(configured); resume with the same mixture or start the policy anew
      """
    case .checkpointMalformed(let policy, let underlying):
      "the checkpoint of policy '\(policy)' cannot be read: \(explanation(underlying))"
    case .checkpointOfOtherShape(let policy, let array, let expected, let found):
      """
      the checkpoint of policy '\(policy)' has \(found) numbers in its \(array), the configured \
      policy \(expected); resume with the same options and domains
      """
    case .savedPolicyMalformed(let path, let underlying):
      "\(path): cannot be read as a saved policy: \(explanation(underlying))"
    case .savedPolicyDiffers(let property, let saved, let configured):
      "the saved policy's \(property.rawValue): \(saved); here: \(configured); \(property.remedy)"
    case .checkpointArraysDamaged(let policy, let byteCount):
      "the \(byteCount) bytes of arrays are not those that the checkpoint of policy \(policy) was stored "
        + "with; resume from another checkpoint"
    case .checkpointNotEncodable(let policy, let underlying):
      "the checkpoint of policy '\(policy)' cannot be written: \(explanation(underlying))"
    case .domainCountOutOfRange(let count):
      """
      the checkpoint has credits for \(count) domains; they are kept for \
      \(Apportionment.domainCountRange.lowerBound) to \(Apportionment.domainCountRange.upperBound)
      """
    case .creditsDoNotSumToZero:
      "the credits of the checkpoint do not sum to 0"
    case .owedOutOfRange(let drawCount):
      "the credits of the checkpoint owe \(drawCount) draws, which no run can reach"
    case .creditOutOfRange(let index, let value):
      "the credit of domain \(index) in the checkpoint is \(value), which no run can reach"
    default: "mixing error"
    }
  }
}

private func quoted(_ names: [String]) -> String {
  names.map { "'\($0)'" }.joined(separator: ", ")
}

private func suggestion(_ near: [String]) -> String {
  near.isEmpty ? "" : "; did you mean \(near.map { "'\($0)'" }.joined(separator: " or "))?"
}

/// The place and the reason of a decoding or encoding error in one line.
private func explanation(_ error: any Error) -> String {
  let context: (path: [any CodingKey], text: String)? =
    switch error {
    case DecodingError.dataCorrupted(let context), DecodingError.typeMismatch(_, let context),
      DecodingError.valueNotFound(_, let context):
      (context.codingPath, context.debugDescription)
    case DecodingError.keyNotFound(let key, let context):
      (context.codingPath + [key], "missing")
    case EncodingError.invalidValue(_, let context):
      (context.codingPath, context.debugDescription)
    default: nil
    }
  guard let context else { return String(describing: error) }
  let place = context.path.map(\.stringValue).joined(separator: ".")
  return place.isEmpty ? context.text : "\(place): \(context.text)"
}
