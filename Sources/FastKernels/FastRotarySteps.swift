import RotaryEmbedding
import Tensors

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The rotary embedding on fast kernels; on the path in Double the reference steps. Angles are those of the reference.
struct FastRotarySteps: RotarySteps {
  let kernels: KernelSet

  /// Steps on these kernels.
  init(_ kernels: KernelSet) { self.kernels = kernels }

  func rotated<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, positions: [Int], configuration: RotaryConfiguration, inverse: Bool
  ) throws(InputError) -> Tensor<Scalar> {
    guard let x32 = floats(x), x.count > 0 else {
      return try ReferenceRotarySteps().rotated(
        x, positions: positions, configuration: configuration, inverse: inverse)
    }
    try requireRotatable(x, positions: positions, configuration: configuration)
    let angles = try angles(positions: positions, configuration: configuration, inverse: inverse)
    return generic(try kernels.rotated(x32, cosines: angles.cosines, sines: angles.sines))
  }

  /// Cosine and sine of each pair's angle at each position.
  ///
  /// - Returns: both `[T, r/2]`
  /// - Throws: `InputError` for a negative position.
  func angles(
    positions: [Int], configuration: RotaryConfiguration, inverse: Bool
  ) throws(InputError) -> (cosines: Tensor<Float>, sines: Tensor<Float>) {
    try requirePositions(positions)
    let frequencies = frequencies(configuration)
    let pairs = frequencies.count
    @Sendable func table(_ value: @Sendable (Double) -> Double) -> Tensor<Float> {
      .written([positions.count, pairs]) { y in
        kernels.workers.forEach(of: positions.count, work: Self.workOfAnAngle * pairs) { row in
          for pair in 0..<pairs {
            let angle = angle(position: positions[row], frequency: frequencies[pair], policy: configuration.angles)
            (y + row * pairs)[pair] = Float(value(angle))
          }
        }
      }
    }
    return (table(cos), table { inverse ? -sin($0) : sin($0) })
  }

  /// In floating-point operations, or so.
  private static let workOfAnAngle = 100
}
