#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// LightGBM's own shared library, opened when the program runs, where the user has it.
///
/// It fits the same trees as ``BoostedTrees``, with its own arithmetic: what published fits used.
/// The fitted model is read from its text form into a ``TreeEnsemble``, so that predictions need no
/// library.
///
/// Sound as `@unchecked Sendable`: what it holds are addresses of functions of a library that is
/// never closed, which LightGBM allows to be called from several threads on different handles.
package struct LightGBMLibrary: @unchecked Sendable {
  /// The environment variable that says where the library is.
  package static let variable = "HEADRACE_LIGHTGBM"

  /// Where the library is.
  package let path: String

  private typealias Handle = UnsafeMutableRawPointer
  private typealias CreateMatrix =
    @convention(c) (
      UnsafeRawPointer, Int32, Int32, Int32, Int32, UnsafePointer<CChar>, Handle?,
      UnsafeMutablePointer<Handle?>
    ) -> Int32
  private typealias SetField =
    @convention(c) (Handle, UnsafePointer<CChar>, UnsafeRawPointer, Int32, Int32) -> Int32
  private typealias CreateBooster =
    @convention(c) (Handle, UnsafePointer<CChar>, UnsafeMutablePointer<Handle?>) -> Int32
  private typealias Update = @convention(c) (Handle, UnsafeMutablePointer<Int32>) -> Int32
  private typealias Save =
    @convention(c) (
      Handle, Int32, Int32, Int32, Int64, UnsafeMutablePointer<Int64>,
      UnsafeMutablePointer<CChar>?
    ) -> Int32
  private typealias Predict =
    @convention(c) (
      Handle, UnsafeRawPointer, Int32, Int32, Int32, Int32, Int32, Int32, Int32,
      UnsafePointer<CChar>, UnsafeMutablePointer<Int64>, UnsafeMutablePointer<Double>
    ) -> Int32
  private typealias Free = @convention(c) (Handle) -> Int32
  private typealias LastError = @convention(c) () -> UnsafePointer<CChar>?

  private let createMatrix: CreateMatrix
  private let setField: SetField
  private let freeMatrix: Free
  private let createBooster: CreateBooster
  private let update: Update
  private let save: Save
  private let predict: Predict
  private let freeBooster: Free
  private let lastError: LastError

  /// Numbers of LightGBM's interface.
  private static let (float32, float64): (Int32, Int32) = (0, 1)

  /// Opens the library.
  ///
  /// - Parameter path: of `lib_lightgbm.so`; nil for what ``variable`` says.
  /// - Throws: ``FittingError/model(_:)`` if nobody says where it is, or it cannot be opened.
  package init(atPath path: String? = nil) throws(FittingError) {
    guard let path = path ?? getenv(Self.variable).map({ String(cString: $0) }) else {
      throw .model(.libraryNotNamed(variable: Self.variable))
    }
    guard let library = dlopen(path, RTLD_NOW) else {
      let reason = dlerror().map { String(cString: $0) } ?? "no reason given"
      throw .model(.libraryNotOpened(path: path, reason: reason))
    }
    func function<Function>(_ name: String, as: Function.Type) throws(FittingError) -> Function {
      guard let address = dlsym(library, name) else {
        throw .model(.libraryFunctionMissing(path: path, function: name))
      }
      // The signatures above are those of LightGBM's c_api.h since version 3.
      return unsafeBitCast(address, to: Function.self)
    }
    self.path = path
    createMatrix = try function("LGBM_DatasetCreateFromMat", as: CreateMatrix.self)
    setField = try function("LGBM_DatasetSetField", as: SetField.self)
    freeMatrix = try function("LGBM_DatasetFree", as: Free.self)
    createBooster = try function("LGBM_BoosterCreate", as: CreateBooster.self)
    update = try function("LGBM_BoosterUpdateOneIter", as: Update.self)
    save = try function("LGBM_BoosterSaveModelToString", as: Save.self)
    predict = try function("LGBM_BoosterPredictForMat", as: Predict.self)
    freeBooster = try function("LGBM_BoosterFree", as: Free.self)
    lastError = try function("LGBM_GetLastError", as: LastError.self)
  }

  /// What a fit gives.
  package struct Fit: Sendable {
    /// The trees.
    package let ensemble: TreeEnsemble
    /// What the library itself predicts for the runs, `[run]`, in nats per token.
    package let predictions: [Double]
  }

  /// Fits trees to runs.
  ///
  /// - Parameters:
  ///   - settings: rounds, learning rate, leaves and rows of a leaf.
  ///   - shares: r `[run][domain]`, at least one run and one domain.
  ///   - losses: y `[run]`, finite; the library keeps them as `Float`.
  /// - Returns: the trees.
  /// - Throws: ``FittingError/model(_:)`` with what the library says.
  package func fit(
    _ settings: BoostedTrees, shares: [[Double]], losses: [Double]
  ) throws(FittingError) -> Fit {
    precondition(shares.count == losses.count && !shares.isEmpty, "one loss for each run")
    let domainCount = shares[0].count
    let matrix = shares.flatMap { $0 }
    let options =
      "objective=regression boosting=gbdt learning_rate=\(settings.learningRate) "
      + "num_leaves=\(settings.leafLimit) min_data_in_leaf=\(settings.rowMinimum) "
      + "deterministic=true force_row_wise=true num_threads=1 verbosity=-1"
    var made: Handle?
    try check(
      createMatrix(
        matrix, Self.float64, Int32(shares.count), Int32(domainCount), 1, options, nil, &made),
      "LGBM_DatasetCreateFromMat")
    guard let rows = made else { throw unanswered("LGBM_DatasetCreateFromMat") }
    defer { _ = freeMatrix(rows) }
    try check(
      setField(rows, "label", losses.map(Float.init), Int32(losses.count), Self.float32),
      "LGBM_DatasetSetField")
    made = nil
    try check(createBooster(rows, options, &made), "LGBM_BoosterCreate")
    guard let booster = made else { throw unanswered("LGBM_BoosterCreate") }
    defer { _ = freeBooster(booster) }
    for _ in 0..<settings.roundCount {
      var isFinished: Int32 = 0
      try check(update(booster, &isFinished), "LGBM_BoosterUpdateOneIter")
      if isFinished != 0 { break }
    }
    var predictions = [Double](repeating: 0, count: shares.count)
    var count: Int64 = 0
    try check(
      predict(
        booster, matrix, Self.float64, Int32(shares.count), Int32(domainCount), 1, 0, 0, -1,
        options, &count, &predictions), "LGBM_BoosterPredictForMat")
    let text = try text(of: booster)
    return Fit(
      ensemble: try LightGBMText.ensemble(of: text, domainCount: domainCount),
      predictions: predictions)
  }

  private func text(of booster: Handle) throws(FittingError) -> String {
    var capacity: Int64 = 0
    // The first call, without room for it, says how long the text is.
    try check(save(booster, 0, -1, 0, 0, &capacity, nil), "LGBM_BoosterSaveModelToString")
    guard capacity > 0, capacity <= 1 << 30 else {
      throw unanswered("LGBM_BoosterSaveModelToString")
    }
    var characters = [CChar](repeating: 0, count: Int(capacity) + 1)
    var written: Int64 = 0
    try check(
      save(booster, 0, -1, 0, capacity, &written, &characters), "LGBM_BoosterSaveModelToString")
    let bytes = characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    return String(decoding: bytes, as: UTF8.self)
  }

  private func check(_ status: Int32, _ function: String) throws(FittingError) {
    guard status != 0 else { return }
    let reason = lastError().map { String(cString: $0) } ?? "no reason given"
    throw .model(.libraryCallFailed(function: function, reason: reason))
  }

  private func unanswered(_ function: String) -> FittingError {
    .model(.libraryCallFailed(function: function, reason: "it gave nothing back"))
  }
}

/// LightGBM's text form of a model.
package enum LightGBMText {
  /// Reads the trees of a text.
  ///
  /// - Parameters:
  ///   - text: what `LGBM_BoosterSaveModelToString` writes.
  ///   - domainCount: the number of domains that shares are of.
  /// - Returns: the trees; splits go left where the share is at most the threshold.
  /// - Throws: ``FittingError/model(_:)`` with what cannot be read.
  package static func ensemble(
    of text: String, domainCount: Int
  ) throws(FittingError) -> TreeEnsemble {
    var ensemble = TreeEnsemble(domainCount: domainCount)
    var fields: [Substring: Substring] = [:]
    var isInTree = false
    func malformed(_ reason: String) -> FittingError {
      .model(.libraryModelMalformed(reason: "tree \(ensemble.treeCount): \(reason)"))
    }
    func finishTree() throws(FittingError) {
      guard isInTree else { return }
      let tree = try tree(of: fields)
      guard tree.isWhole(domainCount: domainCount) else {
        throw malformed("its nodes and leaves do not hang together")
      }
      ensemble.append(tree)
      fields = [:]
      isInTree = false
    }
    for line in text.split(separator: "\n") {
      if line.hasPrefix("Tree=") {
        try finishTree()
        isInTree = true
      } else if line == "end of trees" {
        try finishTree()
      } else if isInTree, let equals = line.firstIndex(of: "=") {
        fields[line[..<equals]] = line[line.index(after: equals)...]
      }
    }
    guard ensemble.treeCount > 0, !isInTree else {
      throw malformed("the text ends before \"end of trees\"")
    }
    return ensemble
  }

  private static func tree(
    of fields: [Substring: Substring]
  ) throws(FittingError) -> TreeEnsemble.Tree {
    func values<Value: LosslessStringConvertible>(
      _ name: Substring, as: Value.Type
    ) throws(FittingError) -> [Value] {
      var values: [Value] = []
      for word in (fields[name] ?? "").split(separator: " ") {
        guard let value = Value(String(word)) else {
          throw .model(.libraryModelMalformed(reason: "\(name) has '\(word)'"))
        }
        values.append(value)
      }
      return values
    }
    var tree = TreeEnsemble.Tree()
    tree.values = try values("leaf_value", as: Double.self)
    // A tree that is one leaf has no nodes worth reading.
    guard tree.values.count > 1 else { return tree }
    tree.domains = try values("split_feature", as: Int.self)
    tree.thresholds = try values("threshold", as: Double.self)
    tree.left = try values("left_child", as: Int.self)
    tree.right = try values("right_child", as: Int.self)
    // The lowest bit says that a split is by category, which shares have none of.
    for type in try values("decision_type", as: Int.self) where type & 1 != 0 {
      throw .model(.libraryModelMalformed(reason: "a split by category"))
    }
    return tree
  }
}
