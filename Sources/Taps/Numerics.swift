import LowPrecision
import Tensors

/// Where a computation rounds to the deployed formats (`golden/FORMAT.md`, "Numerics").
public enum NumericsMode: String, CaseIterable, Sendable {
  /// Nowhere: the mathematics.
  case exact
  /// At the four points where the released code simulates its low-precision caches; arithmetic of the path.
  case simulated
  /// At those and wherever an activation is BF16 or the input of an FP8 or FP4 linear map: what the deployed model does.
  case deployed
}

/// What a value is rounded to.
public enum Rounding: String, Sendable {
  case activation
  case linearInput = "linear-input"
  case entry
  case indexVector = "index-vector"

  /// Format and block: what the table of `v4-oracle numerics` shows.
  public var format: (name: String, block: String) {
    switch self {
    case .activation: ("BF16", "each value")
    case .linearInput: ("FP8 E4M3", "1 × 128")
    case .entry: ("FP8 E4M3", "1 × 64, dims before the rotary ones")
    case .indexVector: ("FP4 E2M1", "1 × 32")
    }
  }

  /// Where this is said: a section of the report, or the released inference code.
  public var source: String {
    switch self {
    case .activation: "released code: BF16 between modules"
    case .linearInput: "released code: act_quant before FP8 and FP4 matrices"
    case .entry: "report 2.3.4; released code: act_quant of entries"
    case .indexVector: "report 2.3.4, 5.2.1; released code: fp4_act_quant"
    }
  }

  /// The modes that round like this.
  public var modes: Set<NumericsMode> {
    switch self {
    case .activation, .linearInput: [.deployed]
    case .entry, .indexVector: [.simulated, .deployed]
    }
  }
}

/// A mode, and the steps by which it rounds.
public struct Numerics: Sendable {
  public let mode: NumericsMode
  public let steps: any QuantizationSteps

  /// A mode with the correct steps, unless others are given.
  public init(_ mode: NumericsMode, steps: any QuantizationSteps = .reference) {
    self.mode = mode
    self.steps = steps
  }

  /// Whether this mode rounds so at all.
  public func rounds(_ rounding: Rounding) -> Bool { rounding.modes.contains(mode) }

  /// The tensor, rounded if this mode does.
  ///
  /// - Parameters:
  ///   - x: `[…, width]`
  ///   - rounding: to what
  ///   - rotaryDims: r, for `entry`
  /// - Throws: `InputError` if a block does not divide an axis or a value is not finite.
  public func rounded<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, _ rounding: Rounding, rotaryDims: Int = 0
  ) throws(InputError) -> Tensor<Scalar> {
    guard rounds(rounding) else { return x }
    return switch rounding {
    case .activation: steps.activation(x)
    case .linearInput: try steps.linearInput(x)
    case .entry: try steps.entry(x, rotaryDims: rotaryDims)
    case .indexVector: try steps.indexVector(x)
    }
  }
}
