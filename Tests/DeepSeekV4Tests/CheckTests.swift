import DeepSeekV4
import RotaryEmbedding
import Tensors
import Testing

@Suite struct CheckTests {
  @Test func presetsAreValid() throws {
    for (name, preset) in ModelConfiguration.presets { #expect(preset.faults == [], "\(name)") }
  }

  @Test func theErrorHasEveryFault() {
    let wrong = ModelConfiguration.tiny.with {
      $0.heads = 5
      $0.clampLimit = -1
    }
    #expect(
      throws: InputError(
        "config",
        "2 faults: heads (5) must be divisible by output groups (2); clamp limit must be 0 (off) or positive, got -1.0")
    ) { try wrong.validate() }
    #expect(throws: InputError.self) { try wrong.json(.inference) }
  }

  @Test func everySizeIsPositiveAndBounded() {
    let sizes: [WritableKeyPath<ModelConfiguration, Int>] = [
      \.vocabularySize, \.width, \.heads, \.headWidth, \.queryLatentWidth, \.outputGroups, \.outputRank, \.window,
      \.indexHeads, \.indexWidth, \.indexTopK, \.expertWidth, \.experts, \.sharedExperts, \.expertsPerToken, \.streams,
      \.sinkhornIterations, \.maximumPositions, \.ropeDims,
    ]
    for size in sizes {
      for value in [0, -1, Int.min, Int.max] {
        #expect(!ModelConfiguration.tiny.with { $0[keyPath: size] = value }.faults.isEmpty, "\(size) = \(value)")
      }
    }
  }

  @Test func everyNumberIsFiniteAndInItsRange() {
    let numbers: [(WritableKeyPath<ModelConfiguration, Double>, [Double])] = [
      (\.routeScale, [0, -1]), (\.clampLimit, [-1]), (\.hyperConnectionEpsilon, [-1e-9]), (\.normEpsilon, [-1e-9]),
      (\.theta, [0, 1]), (\.compressTheta, [1]),
    ]
    for (number, wrong) in numbers {
      for value in wrong + [.infinity, -.infinity, .nan] {
        #expect(ModelConfiguration.tiny.with { $0[keyPath: number] = value }.faults.count == 1, "\(number) = \(value)")
      }
    }
  }

  @Test(arguments: [
    (0.5, 64, 32.0, 1.0), (.infinity, 64, 32, 1), (16, 0, 32, 1), (16, -1, 32, 1), (16, 64, 1, 1), (16, 64, 1, 32),
    (16, 64, 32, 0), (.nan, 64, 32, 1), (16, 64, .infinity, 1), (16, 64, .nan, 1),
  ])
  func yarnIsUsable(factor: Double, length: Int, fast: Double, slow: Double) {
    let wrong = ModelConfiguration.tiny.with {
      $0.yarn = YaRN(factor: factor, originalLength: length, betaFast: fast, betaSlow: slow)
    }
    #expect(wrong.faults.count == 1)
    #expect(wrong.faults.first?.hasPrefix("YaRN needs a factor of at least 1") == true)
  }

  @Test func partsFitTogether() {
    func faults(_ change: (inout ModelConfiguration) -> Void) -> [String] {
      ModelConfiguration.tiny.with(change).faults
    }
    #expect(
      faults { $0.ropeDims = 3 }
        == ["rotated channels must be even and between 2 and the head width (8), got 3"])
    #expect(faults { $0.ropeDims = 8 } == [])
    #expect(faults { $0.ropeDims = 10 }.count == 2)
    #expect(
      faults { $0.indexWidth = 12 }
        == ["index width must be a power of two and at least the 4 rotated channels, got 12"])
    #expect(faults { $0.indexWidth = 2 }.count == 1)
    #expect(
      faults {
        $0.indexWidth = 12
        $0.ratios = [0, 8]
      } == [], "only an indexer needs it")
    #expect(faults { $0.expertsPerToken = 5 } == ["experts per token (5) must be at most experts (4)"])
    #expect(faults { $0.hashLayers = 5 } == ["hash layers must be between 0 and 4, got 5"])
    #expect(faults { $0.hashLayers = -1 } == ["hash layers must be between 0 and 4, got -1"])
    #expect(faults { $0.ratios = [] }.first == "layers must be between 1 and 1024, got 0")
    #expect(
      faults { $0.ratios = Array(repeating: 0, count: 1025) } == ["layers must be between 1 and 1024, got 1025"])
    #expect(faults { $0.multiTokenPredictionLayers = -1 } == ["MTP blocks must be between 0 and 1, got -1"])
    #expect(faults { $0.multiTokenPredictionLayers = 2 } == ["MTP blocks must be between 0 and 1, got 2"])
    #expect(
      faults { $0.expertFormat = .bfloat16 } == ["experts must be fp4 or like the other matrices (fp32), got bf16"])
    #expect(faults { $0.denseFormat = .float4 }.contains("only experts can be fp4"))
  }
}
