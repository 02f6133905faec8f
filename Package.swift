// swift-tools-version: 6.2

import PackageDescription

/// The settings that every Swift target shares: strict imports, explicit existentials, no warning
/// left standing.
let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "headrace",
  products: [
    .library(name: "Headrace", targets: ["Headrace"]),
    .executable(name: "headrace", targets: ["HeadraceTool"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: [
    .systemLibrary(
      name: "CZstd", pkgConfig: "libzstd",
      providers: [.apt(["libzstd-dev"]), .brew(["zstd"])]),
    .target(
      name: "CKernels",
      cSettings: [.treatAllWarnings(as: .error), .enableWarning("all"), .enableWarning("extra")]),
    .target(
      name: "Corpora",
      dependencies: ["CZstd", "CKernels", .product(name: "Crypto", package: "swift-crypto")],
      swiftSettings: strict),
    .target(name: "Kernels", dependencies: ["CKernels"], swiftSettings: strict),
    .target(name: "Mixing", dependencies: ["Kernels"], swiftSettings: strict),
    .target(name: "Fitting", dependencies: ["Mixing", "Kernels"], swiftSettings: strict),
    .target(
      name: "Loading",
      dependencies: [
        "Corpora", "Mixing", "CKernels", .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    .target(
      name: "Headrace", dependencies: ["Corpora", "Mixing", "Loading"], swiftSettings: strict),
    .target(
      name: "Training",
      dependencies: [
        "Corpora", "Loading", "Mixing", "Kernels", .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    .target(
      name: "Ablations", dependencies: ["Training", "Corpora", "Loading", "Mixing"],
      swiftSettings: strict),
    .executableTarget(
      name: "HeadraceTool",
      dependencies: [
        "Headrace", "Corpora", "Mixing", "Kernels", "Loading", "Fitting", "Training", "Ablations",
        "CKernels",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    .target(
      name: "HeadraceTesting", dependencies: ["Corpora", "Mixing", "Loading", "CZstd"],
      path: "Tests/Support",
      swiftSettings: strict),
    // One rank as a process of its own, which LoadingTests start.
    .executableTarget(
      name: "RankProcess", dependencies: ["Loading", "Corpora", "Mixing"],
      path: "Tests/RankProcess", swiftSettings: strict),
    // What parsers of file bytes must hold to; tests and libFuzzer's program give them input.
    .target(
      name: "FuzzParsers", dependencies: ["Corpora", "Loading", "Mixing", "CZstd"],
      path: "Tests/FuzzParsers", swiftSettings: strict),
    .testTarget(
      name: "FuzzTests", dependencies: ["FuzzParsers", "Kernels", "HeadraceTesting"],
      swiftSettings: strict),
    .testTarget(
      name: "CorporaTests", dependencies: ["Corpora", "CZstd", "CKernels", "HeadraceTesting"],
      swiftSettings: strict),
    .testTarget(
      name: "KernelsTests", dependencies: ["Kernels", "CKernels"], swiftSettings: strict),
    .testTarget(
      name: "MixingTests", dependencies: ["Mixing", "Kernels", "HeadraceTesting"],
      swiftSettings: strict),
    .testTarget(
      name: "FittingTests", dependencies: ["Fitting", "Mixing", "Kernels"], swiftSettings: strict),
    .testTarget(
      name: "LoadingTests",
      dependencies: ["Loading", "Corpora", "Mixing", "HeadraceTesting", "RankProcess"],
      swiftSettings: strict),
    .testTarget(
      name: "TrainingTests",
      dependencies: ["Training", "Kernels", "Loading", "Mixing", "Corpora", "HeadraceTesting"],
      swiftSettings: strict),
    .testTarget(
      name: "AblationsTests", dependencies: ["Ablations", "Training"], swiftSettings: strict),
  ]
)

// The fuzz target has no main function but libFuzzer's, so that no build but its own may know it:
// integration/fuzz.sh.
if Context.environment["HEADRACE_FUZZ"] != nil {
  // SwiftPM takes one sanitizer: the script gives the other to Swift, this to our own C.
  package.targets.first { $0.name == "CKernels" }?.cSettings?.append(
    .unsafeFlags(["-fsanitize=address"]))
  package.targets.append(
    .executableTarget(
      name: "Fuzz", dependencies: ["FuzzParsers"], path: "Tests/Fuzz", swiftSettings: strict))
}
