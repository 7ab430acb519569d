import LowPrecision
import Tensors

/// What rides along a computation: where it rounds, and who listens.
///
/// A component passes each value of its equations through its tap:
///
/// ```swift
/// let queries = try hooks.pass(.queries, rotated)
/// ```
///
/// There the value is rounded, if the numerics round at that tap, and recorded, if somebody records. `Hooks.none` does
/// neither and costs nothing.
public struct Hooks {
  public let numerics: Numerics
  private let recorder: (any TapRecorder)?
  /// What precedes the names of taps: `layers.2.attn`.
  private let scope: String

  /// Exact, and nobody listens.
  public static var none: Hooks { Hooks() }

  public init(numerics: Numerics = Numerics(.exact), recorder: (any TapRecorder)? = nil) {
    self.init(numerics: numerics, recorder: recorder, scope: "")
  }

  private init(numerics: Numerics, recorder: (any TapRecorder)?, scope: String) {
    self.numerics = numerics
    self.recorder = recorder
    self.scope = scope
  }

  /// The hooks of a part of the model.
  public func within(_ part: @autoclosure () -> String) -> Hooks {
    guard recorder != nil else { return self }
    return Hooks(numerics: numerics, recorder: recorder, scope: scope.isEmpty ? part() : "\(scope).\(part())")
  }

  /// The same numerics, unheard: where a component is called on parts of a tensor that is recorded as a whole.
  public var silent: Hooks { Hooks(numerics: numerics, recorder: nil, scope: scope) }

  /// Whether anybody listens: what exists only to be recorded need not be made otherwise.
  public var isRecording: Bool { recorder != nil }

  /// A value at its tap: rounded where the numerics round, and recorded.
  ///
  /// Where rounding acts on a value that was no tap before, the value before it is recorded, too, as `<name>.unrounded`.
  ///
  /// - Parameter rotaryDims: r, at the taps of entries
  /// - Throws: `InputError` if a block does not divide an axis or a value to be rounded is not finite.
  public func pass<Scalar: RealScalar>(
    _ tap: Tap, _ x: Tensor<Scalar>, rotaryDims: Int = 0
  ) throws(InputError) -> Tensor<Scalar> {
    guard let rounding = tap.rounding, numerics.rounds(rounding) else {
      record(tap, x)
      return x
    }
    let rounded: Tensor<Scalar>
    do {
      rounded = try numerics.rounded(x, rounding, rotaryDims: rotaryDims)
    } catch {
      throw InputError(error.operation, "\(error.problem), at \(name(tap))")
    }
    if rounding != .linearInput { record(tap, x, suffix: ".unrounded") }
    record(tap, rounded)
    return rounded
  }

  /// A value as the input of a linear map with FP8 or FP4 weight. In other modes than `deployed` it is no value of its
  /// own, and nothing is recorded.
  public func linearInput<Scalar: RealScalar>(_ tap: Tap, _ x: Tensor<Scalar>) throws(InputError) -> Tensor<Scalar> {
    numerics.rounds(.linearInput) ? try pass(tap, x) : x
  }

  /// A value inside a step, rounded to BF16 in `deployed` and not recorded.
  public func activation<Scalar: RealScalar>(_ x: Tensor<Scalar>) throws(InputError) -> Tensor<Scalar> {
    try numerics.rounded(x, .activation)
  }

  /// A value at a tap where nothing rounds: recorded.
  public func recorded<Scalar: RealScalar>(_ tap: Tap, _ x: Tensor<Scalar>) -> Tensor<Scalar> {
    record(tap, x)
    return x
  }

  /// Records a value that is never rounded.
  public func record<Scalar: RealScalar>(_ tap: Tap, _ x: Tensor<Scalar>) { record(tap, x, suffix: "") }

  private func record<Scalar: RealScalar>(_ tap: Tap, _ x: Tensor<Scalar>, suffix: String) {
    guard let recorder else { return }
    recorder.record(name(tap) + suffix, tap: tap, RecordedTensor(x))
  }

  /// Records expert ids or selected entries.
  public func record(_ tap: Tap, integers x: Tensor<Int>) { recorder?.record(name(tap), tap: tap, .integers(x)) }

  private func name(_ tap: Tap) -> String { scope.isEmpty ? tap.name : "\(scope).\(tap.name)" }
}

/// Who listens at the taps of a computation.
public protocol TapRecorder: AnyObject {
  /// Takes a tensor as it is computed. What goes wrong is the recorder's to remember.
  ///
  /// - Parameters:
  ///   - name: of this place, as in `layers.2.attn.queries`
  ///   - tap: its definition in the registry
  func record(_ name: String, tap: Tap, _ tensor: RecordedTensor)
}

/// A tensor at a tap, in the type of its path.
public enum RecordedTensor: Sendable {
  case floats(Tensor<Float>)
  case doubles(Tensor<Double>)
  case integers(Tensor<Int>)

  init<Scalar: RealScalar>(_ tensor: Tensor<Scalar>) {
    if let floats = tensor as? Tensor<Float> {
      self = .floats(floats)
    } else {
      self = .doubles(tensor.map { Double($0) })
    }
  }

  public var shape: [Int] {
    switch self {
    case .floats(let tensor): tensor.shape
    case .doubles(let tensor): tensor.shape
    case .integers(let tensor): tensor.shape
    }
  }
}
