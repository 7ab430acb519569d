import Tensors

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

// Axes: T tokens, h heads, c head width, r rotary dims (the last r of c).

/// The steps of the rotary embedding (report 2.3.3), each with the correct default; a known bug overrides one.
///
/// | step | source |
/// | --- | --- |
/// | `frequencies` | 2.3.3-yarn |
/// | `angle` | 2.3.3-rotary |
/// | `rotated` | 2.3.3-rotary, 2.3.3-inverse-rotary |
public protocol RotarySteps: Sendable {
  func frequencies(_ configuration: RotaryConfiguration) -> [Double]

  func angle(position: Int, frequency: Double, policy: AnglePolicy) -> Double

  func rotated<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, positions: [Int], configuration: RotaryConfiguration, inverse: Bool
  ) throws(InputError) -> Tensor<Scalar>
}

/// The correct steps: every default, nothing overridden.
public struct ReferenceRotarySteps: RotarySteps {
  public init() {}
}

extension RotarySteps where Self == ReferenceRotarySteps {
  /// The correct steps.
  public static var reference: ReferenceRotarySteps { ReferenceRotarySteps() }
}

extension RotarySteps {
  /// The frequency of each pair of channels, in radians per token, YaRN included.
  ///
  /// ```
  /// f_j = θ^(−2j/r),   j = 0 … r/2 − 1
  /// index(b) = r · ln(L / 2πb) / (2 ln θ)              the pair that turns b times within L tokens
  /// low  = ⌊index(β_fast)⌋, high = ⌈index(β_slow)⌉      both clamped to 0 … r − 1; if equal, high += 0.001
  /// ramp_j = clamp((j − low) / (high − low), 0, 1)
  /// f_j ← f_j / factor · ramp_j + f_j · (1 − ramp_j)
  /// ```
  ///
  /// With a frequency table, that table.
  public func frequencies(_ configuration: RotaryConfiguration) -> [Double] {
    if let table = configuration.frequencyTable { return table.map { Double($0) } }
    let dims = Double(configuration.ropeDims)
    let plain = (0..<configuration.ropeDims / 2).map { pow(configuration.theta, -2 * Double($0) / dims) }
    guard let yarn = configuration.yarn else { return plain }

    func index(ofRotations rotations: Double) -> Double {
      dims * log(Double(yarn.originalLength) / (2 * Double.pi * rotations)) / (2 * log(configuration.theta))
    }
    let low = min(max(index(ofRotations: yarn.betaFast).rounded(.down), 0), dims - 1)
    var high = min(max(index(ofRotations: yarn.betaSlow).rounded(.up), 0), dims - 1)
    if low == high { high += 0.001 }
    return plain.enumerated().map { pair, frequency in
      let smooth = 1 - min(max((Double(pair) - low) / (high - low), 0), 1)
      return frequency / yarn.factor * (1 - smooth) + frequency * smooth
    }
  }

  /// The angle of a pair at a position, by either policy.
  public func angle(position: Int, frequency: Double, policy: AnglePolicy) -> Double {
    switch policy {
    case .exact: Double(position) * frequency
    case .float32: Double(Float(position) * Float(frequency))
    }
  }

  /// Rotates the last r channels, in adjacent pairs, by the angle of each token's position.
  ///
  /// ```
  /// (a, b) ← (a cos φ − b sin φ, a sin φ + b cos φ)      channels 2j, 2j + 1 of the last r
  /// ```
  ///
  /// Cosine and sine are evaluated in float64 and rounded to the path's type; their amplitude is 1.
  ///
  /// - Parameters:
  ///   - x: `[T, h, c]`
  ///   - positions: T of them
  ///   - configuration: r, θ and YaRN of the layer
  ///   - inverse: by −φ, which undoes it
  /// - Returns: `[T, h, c]`
  /// - Throws: `InputError` if the shapes do not fit or a position is negative.
  public func rotated<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, positions: [Int], configuration: RotaryConfiguration, inverse: Bool
  ) throws(InputError) -> Tensor<Scalar> {
    try requireRotatable(x, positions: positions, configuration: configuration)
    let frequencies = frequencies(configuration)
    let angles = positions.map { position in
      frequencies.map { frequency in
        let angle = angle(position: position, frequency: frequency, policy: configuration.angles)
        return inverse ? -angle : angle
      }
    }
    return try rotatedPairs(x, angles: angles)
  }
}

/// Turns the last pairs of channels of each token, all heads alike, by that token's angles.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func rotatedPairs<Scalar: RealScalar>(
  _ x: Tensor<Scalar>, angles: [[Double]]
) throws(InputError) -> Tensor<Scalar> {
  let (heads, width) = (x.shape[1], x.shape[2])
  var elements = x.elements
  for (token, angles) in angles.enumerated() {
    let first = width - 2 * angles.count
    for (pair, angle) in angles.enumerated() {
      let (cosine, sine) = (Scalar(cos(angle)), Scalar(sin(angle)))
      for head in 0..<heads {
        let offset = (token * heads + head) * width + first + 2 * pair
        let (a, b) = (elements[offset], elements[offset + 1])
        elements[offset] = a * cosine - b * sine
        elements[offset + 1] = a * sine + b * cosine
      }
    }
  }
  return try Tensor(shape: x.shape, elements: elements)
}

/// Requires `[T, h, c]` with a position for each token and room for the rotated channels.
///
/// - Throws: `InputError` for another shape or a negative position.
public func requireRotatable<Scalar: RealScalar>(
  _ x: Tensor<Scalar>, positions: [Int], configuration: RotaryConfiguration
) throws(InputError) {
  guard x.rank == 3, x.shape[0] == positions.count, x.shape[2] >= configuration.ropeDims else {
    throw InputError(
      "rotary",
      "x has shape \(x.shape), expected [\(positions.count), h, c] with at least \(configuration.ropeDims) channels")
  }
  try requirePositions(positions)
}

/// Requires positions that a token can have.
///
/// - Throws: `InputError` for a negative one.
public func requirePositions(_ positions: [Int]) throws(InputError) {
  if let negative = positions.first(where: { $0 < 0 }) {
    throw InputError("rotary", "position \(negative) is negative")
  }
}
