import RotaryEmbedding
import Tensors
import TestSupport
import Testing

@Suite struct RotaryTests {
  let steps = ReferenceRotarySteps()

  /// θ 160000, factor 16, original length 65536, β 32 and 1, 64 dims: the ramp runs from pair 15 to pair 25.
  @Test func yarnOfTheReleasedModels() throws {
    let plain = try RotaryConfiguration(ropeDims: 64, headWidth: 512, theta: 160_000, angles: .exact)
    let yarn = plain.replacing(
      theta: 160_000, yarn: YaRN(factor: 16, originalLength: 65_536, betaFast: 32, betaSlow: 1))
    let (before, after) = (steps.frequencies(plain), steps.frequencies(yarn))
    #expect(before.count == 32)
    #expect(before[0] == 1)
    for pair in 0...15 { #expect(after[pair] == before[pair]) }
    for pair in 16...24 { #expect(after[pair] < before[pair] && after[pair] > before[pair] / 16) }
    for pair in 25...31 { #expect(abs(after[pair] / before[pair] * 16 - 1) < 1e-14) }
  }

  @Test func aQuarterTurnByHand() throws {
    // Frequency 1 at "position" 1 turns by one radian; channels before the last r stay.
    let configuration = try RotaryConfiguration(ropeDims: 2, headWidth: 3, theta: 10_000, angles: .exact)
    let x = try Tensor(shape: [1, 1, 3], elements: [7.0, 1, 0])
    let rotated = try steps.rotated(x, positions: [1], configuration: configuration, inverse: false)
    #expect(rotated.elements[0] == 7)
    #expect(abs(rotated.elements[1] - 0.5403023058681398) < 1e-15)
    #expect(abs(rotated.elements[2] - 0.8414709848078965) < 1e-15)
  }

  @Test func theInverseUndoesIt() throws {
    var generator = SeededGenerator(seed: 41)
    let x: Tensor<Double> = try generator.normals([4, 3, 10])
    for angles in AnglePolicy.allCases {
      let configuration = try RotaryConfiguration(ropeDims: 6, headWidth: 10, theta: 500, angles: angles)
      let positions = [0, 1, 1000, 1_048_575]
      let there = try steps.rotated(x, positions: positions, configuration: configuration, inverse: false)
      let back = try steps.rotated(there, positions: positions, configuration: configuration, inverse: true)
      #expect(largestDifference(back, x) < 1e-14)
      #expect(try there.slice(0) == x.slice(0))
    }
  }

  /// How far deployed angles part from exact ones, over the released frequencies.
  @Test func theTwoAnglePoliciesPartWithThePosition() throws {
    print("\nLargest difference of deployed (float32) and exact angles, in radians:")
    let yarn = YaRN(factor: 16, originalLength: 65_536, betaFast: 32, betaSlow: 1)
    let configuration = try RotaryConfiguration(
      ropeDims: 64, headWidth: 512, theta: 160_000, yarn: yarn, angles: .exact)
    var last = 0.0
    for position in [1, 100, 10_000, 100_000, 1_048_575] {
      let largest =
        steps.frequencies(configuration).map { frequency in
          abs(
            steps.angle(position: position, frequency: frequency, policy: .float32)
              - steps.angle(position: position, frequency: frequency, policy: .exact))
        }.max() ?? 0
      print("  position \(position): \(Float(largest))")
      #expect(largest >= last)
      last = largest
    }
    #expect(last > 0.005 && last < 0.1)
    #expect(AnglePolicy.standard(for: Float.self) == .float32)
    #expect(AnglePolicy.standard(for: Double.self) == .exact)
  }

  @Test func refusesBadInput() throws {
    for dims in [0, 3, 12] {
      #expect(throws: InputError("rotary", "rope_dims must be even and between 2 and 10, got \(dims)")) {
        try RotaryConfiguration(ropeDims: dims, headWidth: 10, theta: 500, angles: .exact)
      }
    }
    #expect(throws: InputError("rotary", "frequency_table has shape [3], expected [2]")) {
      try RotaryConfiguration(ropeDims: 4, headWidth: 4, theta: 500, angles: .exact, frequencyTable: [1, 2, 3])
    }
    #expect(throws: InputError("rotary", "theta must be above 1, got nan")) {
      try RotaryConfiguration(ropeDims: 4, headWidth: 4, theta: .nan, angles: .exact)
    }
    let configuration = try RotaryConfiguration(ropeDims: 2, headWidth: 2, theta: 500, angles: .exact)
    #expect(throws: InputError("rotary", "position -1 is negative")) {
      try steps.rotated(
        Tensor(repeating: 0.0, shape: [1, 1, 2]), positions: [-1], configuration: configuration, inverse: false)
    }
  }
}
