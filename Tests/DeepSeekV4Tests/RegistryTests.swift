import DeepSeekV4
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
