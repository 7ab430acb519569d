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
/// There the value is rounded, if the numerics round at that tap, and recorded, if somebody records. Who records may put
/// another value in its place: a replay of a trace computes each step from what somebody else had recorded before it.
/// `Hooks.none` does none of this and costs nothing.
public struct Hooks {
  public let numerics: Numerics
  private let recorder: (any TapRecorder)?
  /// What precedes the names of taps: `layers.2.attn`.
  private let scope: String

  /// Exact, and nobody listens.
  public static var none: Hooks { Hooks() }

  /// At the top of a model: names of taps are not preceded by anything.
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

  /// Whether values pass these taps as they are, with nobody listening: steps around them may then be one.
  public func pass(untouched taps: [Tap]) -> Bool {
    !isRecording && !taps.contains { $0.rounding.map(numerics.rounds) ?? false }
  }

  /// A value at its tap: rounded where the numerics round, recorded, and replaced if the recorder has another one.
  ///
  /// Where rounding acts on a value that was no tap before, the value before it is recorded, too, as `<name>.unrounded`.
  ///
  /// - Parameters:
  ///   - tap: its definition in the registry
  ///   - x: in the shape of the tap, as in `[T, d]`
  ///   - rotaryDims: r, at the taps of entries
  /// - Throws: `InputError` if a block does not divide an axis or a value to be rounded is not finite.
  public func pass<Scalar: RealScalar>(
    _ tap: Tap, _ x: Tensor<Scalar>, rotaryDims: Int = 0
  ) throws(InputError) -> Tensor<Scalar> {
    guard let rounding = tap.rounding, numerics.rounds(rounding) else {
      return recorded(tap, x)
    }
    let unrounded = rounding == .linearInput ? x : recorded(tap, x, suffix: ".unrounded")
    let rounded: Tensor<Scalar>
    do {
      rounded = try numerics.rounded(unrounded, rounding, rotaryDims: rotaryDims)
    } catch {
      throw InputError(error.operation, "\(error.problem), at \(name(tap))")
    }
    return recorded(tap, rounded)
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

  /// A value at a tap where nothing rounds: recorded, and replaced if the recorder has another one.
  public func recorded<Scalar: RealScalar>(_ tap: Tap, _ x: Tensor<Scalar>) -> Tensor<Scalar> {
    recorded(tap, x, suffix: "")
  }

  private func recorded<Scalar: RealScalar>(_ tap: Tap, _ x: Tensor<Scalar>, suffix: String) -> Tensor<Scalar> {
    guard let recorder else { return x }
    let name = name(tap) + suffix
    recorder.record(name, tap: tap, RecordedTensor(x))
    return recorder.replacement(for: name)?.reals() ?? x
  }

  /// Expert ids or selected entries: recorded, and replaced if the recorder has others.
  public func recorded(_ tap: Tap, integers x: Tensor<Int>) -> Tensor<Int> {
    guard let recorder else { return x }
    recorder.record(name(tap), tap: tap, .integers(x))
    return recorder.replacement(for: name(tap))?.integers ?? x
  }

  /// Records a whole that was computed in parts.
  func record(_ tap: Tap, name partName: String, _ x: RecordedTensor) {
    recorder?.record(scoped(partName), tap: tap, x)
  }

  /// What the recorder will put in place of a whole that is computed in parts.
  func replacement(_ tap: Tap, name partName: String) -> RecordedTensor? {
    recorder?.replacement(for: scoped(partName))
  }

  private func name(_ tap: Tap) -> String { scoped(tap.name) }

  private func scoped(_ name: String) -> String { scope.isEmpty ? name : "\(scope).\(name)" }
}

/// Who listens at the taps of a computation.
public protocol TapRecorder: AnyObject {
  /// Takes a tensor as it is computed. What goes wrong is the recorder's to remember.
  ///
  /// - Parameters:
  ///   - name: of this place, as in `layers.2.attn.queries`
  ///   - tap: its definition in the registry
  ///   - tensor: in the type of its path
  func record(_ name: String, tap: Tap, _ tensor: RecordedTensor)

  /// What the computation goes on with in place of the value of that name; nil for the value itself.
  ///
  /// It is asked after `record`, except by components that compute a value in parts: they ask before, too. Its shape and
  /// kind have to be those of the value, but a selection may have any number of columns.
  func replacement(for name: String) -> RecordedTensor?
}

extension TapRecorder {
  /// Nothing is replaced.
  public func replacement(for name: String) -> RecordedTensor? { nil }
}

/// A tensor at a tap, in the type of its path.
public enum RecordedTensor: Sendable {
  case floats(Tensor<Float>)
  case doubles(Tensor<Double>)
  case integers(Tensor<Int>)

  init<Scalar: RealScalar>(_ tensor: Tensor<Scalar>) {
    if let floats = tensor as? Tensor<Float> {
      self = .floats(floats)
    } else if let doubles = tensor as? Tensor<Double> {
      self = .doubles(doubles)
    } else {
      self = .doubles(tensor.map { Double($0) })
    }
  }

  /// The reals in a type of path; nil for integers.
  public func reals<Scalar: RealScalar>(_: Scalar.Type = Scalar.self) -> Tensor<Scalar>? {
    switch self {
    case .floats(let tensor): tensor as? Tensor<Scalar> ?? tensor.map { Scalar($0) }
    case .doubles(let tensor): tensor as? Tensor<Scalar> ?? tensor.map { Scalar($0) }
    case .integers: nil
    }
  }

  /// The integers; nil for reals.
  public var integers: Tensor<Int>? {
    guard case .integers(let tensor) = self else { return nil }
    return tensor
  }

  public var shape: [Int] {
    switch self {
    case .floats(let tensor): tensor.shape
    case .doubles(let tensor): tensor.shape
    case .integers(let tensor): tensor.shape
    }
  }
}
