import RotaryEmbedding
import Tensors

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

// Each type here overrides exactly one step. What is wrong about it stands in KnownBug+Rotary.swift.

private let correct = ReferenceRotarySteps()

struct YarnIgnored: RotarySteps {
  func frequencies(_ configuration: RotaryConfiguration) -> [Double] {
    correct.frequencies(configuration.replacing(theta: configuration.theta, yarn: nil))
  }
}

struct FrequenciesInverted: RotarySteps {
  func frequencies(_ configuration: RotaryConfiguration) -> [Double] {
    correct.frequencies(configuration).map { 1 / $0 }
  }
}

struct YarnScalesAmplitude: RotarySteps {
  func rotated<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, positions: [Int], configuration: RotaryConfiguration, inverse: Bool
  ) throws(InputError) -> Tensor<Scalar> {
    let rotated = try correct.rotated(x, positions: positions, configuration: configuration, inverse: inverse)
    guard let yarn = configuration.yarn else { return rotated }
    let first = x.shape[2] - configuration.ropeDims
    return try rotated.scalingChannels(first..<x.shape[2], by: mscale(yarn))
  }
}

struct YarnScalesFirstChannels: RotarySteps {
  func rotated<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, positions: [Int], configuration: RotaryConfiguration, inverse: Bool
  ) throws(InputError) -> Tensor<Scalar> {
    let rotated = try correct.rotated(x, positions: positions, configuration: configuration, inverse: inverse)
    guard let yarn = configuration.yarn else { return rotated }
    return try rotated.scalingChannels(0..<configuration.ropeDims, by: mscale(yarn))
  }
}

/// Pairs (j, j + r/2) instead of neighbours.
struct HalfSplitPairs: RotarySteps {
  func rotated<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, positions: [Int], configuration: RotaryConfiguration, inverse: Bool
  ) throws(InputError) -> Tensor<Scalar> {
    let (width, dims) = (x.shape[2], configuration.ropeDims)
    let interleaved = Array(0..<width - dims) + (0..<dims / 2).flatMap { [width - dims + $0, width - dims / 2 + $0] }
    let rotated = try correct.rotated(
      x.pickingChannels(interleaved), positions: positions, configuration: configuration, inverse: inverse)
    var back = Array(repeating: 0, count: width)
    for (position, channel) in interleaved.enumerated() { back[channel] = position }
    return try rotated.pickingChannels(back)
  }
}

/// The first r channels instead of the last.
struct FirstChannelsRotated: RotarySteps {
  func rotated<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, positions: [Int], configuration: RotaryConfiguration, inverse: Bool
  ) throws(InputError) -> Tensor<Scalar> {
    let (width, dims) = (x.shape[2], configuration.ropeDims)
    let rotated = try correct.rotated(
      x.pickingChannels(Array(dims..<width) + Array(0..<dims)), positions: positions, configuration: configuration,
      inverse: inverse)
    return try rotated.pickingChannels(Array(width - dims..<width) + Array(0..<width - dims))
  }
}

/// The amplitude that generic YaRN code gives cos and sin: 0.1 ln(factor) + 1.
func mscale(_ yarn: YaRN) -> Double { 0.1 * log(yarn.factor) + 1 }

extension Tensor where Element: RealScalar {
  fileprivate func pickingChannels(_ channels: [Int]) throws(InputError) -> Tensor {
    let width = shape[shape.count - 1]
    let picked = stride(from: 0, to: count, by: width).flatMap { row in channels.map { elements[row + $0] } }
    return try Tensor(shape: shape, elements: picked)
  }

  fileprivate func scalingChannels(_ channels: Range<Int>, by factor: Double) throws(InputError) -> Tensor {
    let width = shape[shape.count - 1]
    let scaled = elements.enumerated().map { channels.contains($0 % width) ? $1 * Element(factor) : $1 }
    return try Tensor(shape: shape, elements: scaled)
  }
}
