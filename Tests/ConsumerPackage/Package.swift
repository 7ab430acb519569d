// swift-tools-version: 6.3
import PackageDescription

// Somebody else's package: an engine that checks itself against the golden cases in its own `swift test`.
// `make check-consumer` builds it against a tagged clone of this repository; V4_ORACLE_URL says where that is.
let oracle = Context.environment["V4_ORACLE_URL"] ?? "../.."

let package = Package(
  name: "toy-engine",
  platforms: [.macOS(.v13)],
  dependencies: [.package(url: oracle, from: "0.1.0")],
  targets: [
    .target(name: "ToyEngine"),
    .testTarget(
      name: "ToyEngineTests",
      dependencies: ["ToyEngine", .product(name: "DeepSeekV4Oracle", package: "deepseek-v4-oracle")]),
  ]
)
