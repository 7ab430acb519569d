// swift-tools-version: 6.3
import PackageDescription

// The slow path is the path that every check runs on, so it has to be quick enough even when `swift test` builds for
// debugging, where plain tensor loops are about a hundred times slower. The numeric targets are therefore always
// optimized. docs/decisions/0002-compiler-flags.md weighs this for packages that depend on this one.
let optimized: [SwiftSetting] = [.unsafeFlags(["-O"], .when(configuration: .debug))]

// The kernels in C, for the same reason: without optimization they are twelve times slower.
let optimizedC: [CSetting] = [.unsafeFlags(["-O3"], .when(configuration: .debug))]

let package = Package(
  name: "deepseek-v4-oracle",
  platforms: [.macOS(.v13)],
  products: [
    .executable(name: "v4-oracle", targets: ["v4-oracle"]),
    .library(
      name: "DeepSeekV4Oracle",
      targets: [
        "Tensors", "RotaryEmbedding", "LowPrecision", "Taps", "Checkpoints", "TokenCompression", "CoreAttention",
        "CompressedSparseAttention", "HeavilyCompressedAttention", "HyperConnections", "ExpertRouting", "DeepSeekV4",
        "CostModel", "FastKernels", "GoldenTensors", "Traces", "KnownBugs", "Comparison", "Blame", "Conformance",
      ]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0")
  ],
  targets: [
    // A module imports only modules that stand before it here.
    // Floor 0
    .systemLibrary(
      name: "CHDF5", pkgConfig: "hdf5", providers: [.apt(["libhdf5-dev", "pkg-config"]), .brew(["hdf5", "pkgconf"])]),
    .systemLibrary(name: "CLibCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .target(name: "CKernels", exclude: ["kernels", "table.h"], cSettings: optimizedC),
    .target(name: "Tensors", swiftSettings: optimized),

    .target(name: "RotaryEmbedding", dependencies: ["Tensors"], swiftSettings: optimized),
    .target(name: "LowPrecision", dependencies: ["Tensors"], swiftSettings: optimized),
    .target(name: "Taps", dependencies: ["LowPrecision", "Tensors"], swiftSettings: optimized),

    // Floor 1
    .target(name: "Checkpoints", dependencies: ["LowPrecision", "Tensors"], swiftSettings: optimized),
    .target(name: "TokenCompression", dependencies: ["RotaryEmbedding", "Taps", "Tensors"], swiftSettings: optimized),
    .target(
      name: "GoldenTensors",
      dependencies: ["Tensors", "CHDF5", .target(name: "CLibCrypto", condition: .when(platforms: [.linux]))],
      swiftSettings: optimized),

    // Floor 2
    .target(
      name: "CoreAttention", dependencies: ["RotaryEmbedding", "Taps", "Tensors", "TokenCompression"],
      swiftSettings: optimized),
    .target(name: "HyperConnections", dependencies: ["Taps", "Tensors"], swiftSettings: optimized),
    .target(name: "ExpertRouting", dependencies: ["Taps", "Tensors"], swiftSettings: optimized),

    // Floor 3
    .target(
      name: "CompressedSparseAttention",
      dependencies: ["CoreAttention", "RotaryEmbedding", "Taps", "Tensors", "TokenCompression"],
      swiftSettings: optimized),
    .target(
      name: "HeavilyCompressedAttention", dependencies: ["CoreAttention", "Tensors", "TokenCompression"],
      swiftSettings: optimized),

    // Floor 4
    .target(
      name: "DeepSeekV4",
      dependencies: [
        "Tensors", "RotaryEmbedding", "LowPrecision", "Taps", "Checkpoints", "TokenCompression", "CoreAttention",
        "CompressedSparseAttention", "HeavilyCompressedAttention", "HyperConnections", "ExpertRouting",
      ], swiftSettings: optimized),

    // Floor 5
    .target(name: "CostModel", dependencies: ["Checkpoints", "DeepSeekV4", "Tensors"], swiftSettings: optimized),
    .target(
      name: "Traces",
      dependencies: [
        "Checkpoints", "DeepSeekV4", "GoldenTensors", "LowPrecision", "RotaryEmbedding", "Taps", "Tensors",
      ], swiftSettings: optimized),
    .target(
      name: "KnownBugs",
      dependencies: [
        "Tensors", "RotaryEmbedding", "LowPrecision", "Taps", "TokenCompression", "CoreAttention",
        "CompressedSparseAttention", "HyperConnections", "ExpertRouting", "DeepSeekV4",
      ], swiftSettings: optimized),

    .target(
      name: "FastKernels",
      dependencies: [
        "CKernels", "Tensors", "RotaryEmbedding", "LowPrecision", "Taps", "TokenCompression", "CoreAttention",
        "CompressedSparseAttention", "HyperConnections", "ExpertRouting", "DeepSeekV4",
      ], swiftSettings: optimized),

    // Floor 6
    .target(
      name: "Comparison", dependencies: ["Checkpoints", "GoldenTensors", "Taps", "Tensors", "Traces"],
      swiftSettings: optimized),
    .target(
      name: "Blame",
      dependencies: ["DeepSeekV4", "GoldenTensors", "KnownBugs", "RotaryEmbedding", "Taps", "Tensors", "Traces"],
      swiftSettings: optimized),
    .target(
      name: "Conformance",
      dependencies: [
        "Tensors", "RotaryEmbedding", "LowPrecision", "Taps", "TokenCompression", "GoldenTensors", "CoreAttention",
        "HyperConnections", "ExpertRouting", "CompressedSparseAttention", "HeavilyCompressedAttention", "DeepSeekV4",
        "FastKernels", "KnownBugs", "Checkpoints", "Traces", "Comparison", "Blame",
      ], swiftSettings: optimized),

    .target(
      name: "Benchmarks",
      dependencies: [
        "Tensors", "RotaryEmbedding", "Taps", "TokenCompression", "CoreAttention", "HyperConnections", "ExpertRouting",
        "CompressedSparseAttention", "HeavilyCompressedAttention", "DeepSeekV4", "FastKernels",
        "LowPrecision",
      ], swiftSettings: optimized),

    // Floor 7
    .executableTarget(
      name: "v4-oracle",
      dependencies: [
        "Benchmarks", "Blame", "Checkpoints", "Comparison", "Conformance", "CostModel", "DeepSeekV4", "FastKernels",
        "GoldenTensors",
        "KnownBugs", "LowPrecision", "RotaryEmbedding", "Taps", "Tensors", "Traces",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    // Tests
    .target(name: "TestSupport", dependencies: ["Tensors"], path: "Tests/TestSupport"),
    .testTarget(name: "TensorsTests", dependencies: ["Tensors", "TestSupport"]),
    .testTarget(name: "RotaryEmbeddingTests", dependencies: ["RotaryEmbedding", "TestSupport"]),
    .testTarget(name: "CheckpointsTests", dependencies: ["Checkpoints", "LowPrecision", "TestSupport"]),
    .testTarget(
      name: "AttentionTests",
      dependencies: [
        "CompressedSparseAttention", "DeepSeekV4", "HeavilyCompressedAttention", "GoldenTensors", "KnownBugs", "Taps",
        "TestSupport",
      ]),
    .testTarget(name: "HyperConnectionsTests", dependencies: ["HyperConnections", "TestSupport"]),
    .testTarget(name: "ExpertRoutingTests", dependencies: ["ExpertRouting", "TestSupport"]),
    .testTarget(name: "DeepSeekV4Tests", dependencies: ["Checkpoints", "DeepSeekV4", "Taps", "TestSupport"]),
    .testTarget(
      name: "CostModelTests",
      dependencies: ["Checkpoints", "CostModel", "DeepSeekV4", "TestSupport", "v4-oracle"]),
    .testTarget(name: "TracesTests", dependencies: ["Checkpoints", "GoldenTensors", "Traces", "TestSupport"]),
    .testTarget(
      name: "FastKernelsTests",
      dependencies: [
        "FastKernels", "CKernels", "CompressedSparseAttention", "Conformance", "CoreAttention", "DeepSeekV4",
        "ExpertRouting", "GoldenTensors", "HyperConnections", "LowPrecision", "RotaryEmbedding", "Taps", "Tensors",
        "TokenCompression", "TestSupport",
      ]),
    .testTarget(name: "BenchmarksTests", dependencies: ["Benchmarks", "DeepSeekV4", "FastKernels"]),
    .testTarget(name: "GoldenTensorsTests", dependencies: ["GoldenTensors", "CHDF5", "TestSupport"]),
    .testTarget(
      name: "ComparisonTests",
      dependencies: ["Checkpoints", "Comparison", "GoldenTensors", "Traces", "TestSupport", "v4-oracle"]),
    .testTarget(
      name: "BlameTests",
      dependencies: [
        "Blame", "Checkpoints", "DeepSeekV4", "GoldenTensors", "KnownBugs", "Taps", "TestSupport", "Traces",
        "v4-oracle",
      ]),
    .testTarget(name: "ConformanceTests", dependencies: ["Comparison", "Conformance", "TestSupport", "v4-oracle"]),
  ],
  swiftLanguageModes: [.v6]
)
