import DeepSeekV4
import Tensors

/// The steps of the whole model on fast kernels; on the path in Double the reference steps.
struct FastModelSteps: ModelSteps {
  let kernels: KernelSet

  /// Steps on these kernels.
  init(_ kernels: KernelSet) { self.kernels = kernels }

  func normalized<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, weight: Tensor<Scalar>, epsilon: Scalar
  ) throws(InputError) -> Tensor<Scalar> {
    try kernels.genericNorm(x, weight: weight, epsilon: epsilon)
  }

  func vocabularyLogits<Scalar: RealScalar>(
    _ hidden: Tensor<Scalar>, head: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try kernels.genericLinear(hidden, head)
  }

  func predictionProjected<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, by weight: Tensor<Scalar>
  ) throws(InputError) -> Tensor<Scalar> {
    try kernels.genericLinear(x, weight)
  }
}
