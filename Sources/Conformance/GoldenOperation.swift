import DeepSeekV4
import ExpertRouting
import GoldenTensors
import HyperConnections
import KnownBugs
import Taps
import Tensors

/// A tensor that an operation produced.
enum ProducedTensor: Sendable {
  /// Reals of a path, widened without loss.
  case reals(Tensor<Double>)
  case integers(Tensor<Int>)

  init<Scalar: RealScalar>(_ tensor: Tensor<Scalar>) { self = .reals(tensor.map { Double($0) }) }
}

/// What an operation produced, and what it warned of.
struct Production: Sendable {
  var tensors: [String: ProducedTensor]
  var warnings: [String] = []

  /// Rounds what comes out.
  fileprivate mutating func round(_ disturbance: Disturbance) {
    for case (let name, .reals(let tensor)) in tensors {
      tensors[name] = .reals(disturbance.rounded(tensor, name: "output \(name)"))
    }
  }
}

/// The operations of `golden/FORMAT.md`: how the inputs of a case become the tensors that it expects.
enum GoldenOperation: String, CaseIterable, Sendable {
  case layout, dtypes, endianness
  case expand, sinkhorn
  case equation8 = "equation-8"
  case site, head
  case affinity, router
  case hashRouter = "hash-router"
  case expert, mixture
  case rotary, compress, indexer
  case coreAttention = "core-attention"
  case attention
  case attentionFromState = "attention-from-state"
  case round, decode, quantize, dequantize
  case model, mtp

  /// Runs the operation on a case.
  ///
  /// - Parameters:
  ///   - request: what goes in
  ///   - scalar: the type of the path
  ///   - steps: the correct ones, or those of a known bug
  ///   - recorder: who listens at the taps, and may replace what passes
  ///   - disturbance: the rounding errors of a precision class, on the way and on what comes out; of a path in Double
  /// - Throws: `InputError` if the operation refuses its input, `GoldenError` if the case is not one of this operation.
  func run<Scalar: RealScalar>(
    _ request: EngineRequest, as scalar: Scalar.Type, steps: StepSet = StepSet(),
    recorder: (any TapRecorder)? = nil, disturbance: Disturbance? = nil
  ) throws -> Production {
    let inputs = CaseInputs<Scalar>(request, recorder: recorder, disturbance: disturbance)
    var production = try produce(inputs, disturbance?.steps(steps) ?? steps)
    if let disturbance { production.round(disturbance) }
    if let first = inputs.untouched.first {
      throw GoldenError(request.id, "the operation \(rawValue) has no use for \(first)")
    }
    return production
  }

  private func produce<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    switch self {
    case .layout: try layout(inputs)
    case .dtypes, .endianness: try widened(inputs)
    case .expand: try expand(inputs, steps)
    case .sinkhorn: try sinkhorn(inputs, steps)
    case .equation8: try equation8(inputs)
    case .site: try site(inputs, steps)
    case .head: try head(inputs, steps)
    case .affinity: try affinity(inputs, steps)
    case .router: try router(inputs, steps)
    case .hashRouter: try hashRouter(inputs, steps)
    case .expert: try expert(inputs, steps)
    case .mixture: try mixture(inputs, steps)
    case .rotary: try rotary(inputs, steps)
    case .compress: try compress(inputs, steps)
    case .indexer: try indexer(inputs, steps)
    case .coreAttention: try coreAttention(inputs, steps)
    case .attention: try attention(inputs, steps)
    case .attentionFromState: try attentionFromState(inputs, steps)
    case .round: try round(inputs, steps)
    case .decode: try decode(inputs, steps)
    case .quantize: try quantize(inputs, steps)
    case .dequantize: try dequantize(inputs, steps)
    case .model: try model(inputs, steps)
    case .mtp: try mtp(inputs, steps)
    }
  }
}
