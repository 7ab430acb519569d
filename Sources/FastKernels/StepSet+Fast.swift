import DeepSeekV4
import Tensors

extension StepSet {
  /// Every step that has a fast twin on fast kernels, the others as in the reference.
  ///
  /// A model on these steps gives the reference's results within roundoff on the path in Float; on the path in Double it
  /// is the reference.
  ///
  /// - Parameter kernels: instruction set and threads
  public static func fast(_ kernels: KernelSet) -> StepSet {
    var steps = StepSet()
    steps.hyperConnection = FastHyperConnectionSteps(kernels)
    steps.routing = FastRoutingSteps(kernels)
    steps.expert = FastExpertSteps(kernels)
    steps.rotary = FastRotarySteps(kernels)
    steps.indexRotary = FastRotarySteps(kernels)
    steps.compression = FastCompressionSteps(kernels)
    steps.attention = FastAttentionSteps(kernels)
    steps.indexer = FastIndexerSteps(kernels)
    steps.model = FastModelSteps(kernels)
    steps.storedExperts = FastStoredExpertSteps(kernels: kernels)
    return steps
  }
}
