import DeepSeekV4
import Foundation
import Taps
import Tensors
import TestSupport
import Testing

/// The registry of taps against what a model really passes through them.
struct RegistryTests {
  private final class Listener: TapRecorder {
    var passed: [(name: String, tap: Tap, shape: [Int])] = []
    func record(_ name: String, tap: Tap, _ tensor: RecordedTensor) { passed.append((name, tap, tensor.shape)) }
  }

  private func pass(_ mode: NumericsMode) throws -> (configuration: ModelConfiguration, listener: Listener) {
    let configuration = ModelConfiguration.tinyDeployed
    let model = try tinyModel(configuration)
    let listener = Listener()
    var state = model.emptyState
    _ = try model(
      tokenIDs(9, of: configuration, seed: 1), state: &state,
      hooks: Hooks(numerics: Numerics(mode), recorder: listener))
    return (configuration, listener)
  }

  @Test(arguments: NumericsMode.allCases)
  func everyNameIsInTheRegistryAndPassesOnce(_ mode: NumericsMode) throws {
    let (_, listener) = try pass(mode)
    let names = listener.passed.map(\.name)
    #expect(Set(names).count == names.count)
    let patterns = Set(Tap.all.flatMap(\.patterns))
    for name in names {
      var pattern = name.hasSuffix(".unrounded") ? String(name.dropLast(".unrounded".count)) : name
      pattern = pattern.split(separator: ".").map { part in
        Int(part) == nil ? String(part) : name.hasPrefix("mtp") ? "{k}" : "{l}"
      }.joined(separator: ".")
      #expect(patterns.contains(pattern), "\(name)")
    }
  }

  @Test func everyTapIsPassed() throws {
    let (_, listener) = try pass(.deployed)
    let passed = Set(listener.passed.map { "\($0.tap.place) \($0.tap.name)" })
    let missing = Tap.all.map { "\($0.place) \($0.name)" }.filter { !passed.contains($0) }
    #expect(missing.isEmpty, "\(missing)")
    #expect(Tap.all.count == passed.count)
  }

  @Test func everyParentIsPassedBefore() throws {
    let (configuration, listener) = try pass(.exact)
    var before: Set<String> = []
    var found = 0
    for (name, tap, _) in listener.passed {
      let parents = tap.parentNames(of: name, layers: configuration.layers)
      // What a layer does not have (compressed entries, quantized inputs) is no parent there.
      let strangers = parents.filter { parent in
        !before.contains(parent) && listener.passed.contains { $0.name == parent }
      }
      #expect(strangers.isEmpty, "\(name): \(strangers)")
      #expect(parents.isEmpty || parents.contains(where: before.contains), "\(name): \(parents)")
      found += parents.count(where: before.contains)
      before.insert(name)
    }
    #expect(found > before.count)
  }

  @Test(arguments: [NumericsMode.exact, .deployed])
  func everyValueIsUsed(_ mode: NumericsMode) throws {
    let (configuration, listener) = try pass(mode)
    let used = Set(listener.passed.flatMap { $0.tap.parentNames(of: $0.name, layers: configuration.layers) })
    let ends = listener.passed.map(\.name).filter {
      !used.contains($0) && !$0.hasSuffix(".unrounded") && !$0.hasSuffix("logits")
    }
    #expect(ends.isEmpty, "\(ends)")
  }

  @Test func everyStepIsInTheSources() throws {
    let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Sources")
    let files = try #require(FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
    var text = ""
    for case let file as URL in files where file.pathExtension == "swift" && !file.lastPathComponent.hasPrefix("Tap") {
      text += try String(contentsOf: file, encoding: .utf8)
    }
    for tap in Tap.all {
      for name in tap.step.split(separator: ".") {
        let isThere = ["func", "struct", "protocol"].contains { text.contains("\($0) \(name)") }
        #expect(isThere, "\(tap.step) of \(tap.name)")
      }
    }
  }

  @Test func axesHaveTheLengthsThatTheRegistrySays() throws {
    let (configuration, listener) = try pass(.deployed)
    let tokens = 9
    let lengths = [
      "n": configuration.streams, "d": configuration.width, "h": configuration.heads,
      "q": configuration.queryLatentWidth,
      "H": configuration.indexHeads, "i": configuration.indexWidth, "E": configuration.experts,
      "f": configuration.expertWidth, "V": configuration.vocabularySize,
      "M": (2 + configuration.streams) * configuration.streams,
    ]
    for (name, tap, shape) in listener.passed {
      #expect(shape.count == tap.shape.count, "\(name) has shape \(shape)")
      for (letter, length) in zip(tap.shape, shape) {
        if letter == "T" { #expect(length == tokens || length == tokens - 1, "\(name)") }
        if let expected = lengths[letter] { #expect(length == expected, "\(name) \(letter)") }
      }
    }
  }
}
