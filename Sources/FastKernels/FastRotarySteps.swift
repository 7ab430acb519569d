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
    let frequencies = frequencies(configuration)
    var cosines: [Float] = []
    var sines: [Float] = []
    cosines.reserveCapacity(positions.count * frequencies.count)
    sines.reserveCapacity(positions.count * frequencies.count)
    for position in positions {
      for frequency in frequencies {
        let angle = angle(position: position, frequency: frequency, policy: configuration.angles)
        cosines.append(Float(cos(angle)))
        sines.append(Float(inverse ? -sin(angle) : sin(angle)))
      }
    }
    let shape = [positions.count, frequencies.count]
    return generic(
      try kernels.rotated(
        x32, cosines: Tensor(shape: shape, elements: cosines), sines: Tensor(shape: shape, elements: sines)))
  }
}
