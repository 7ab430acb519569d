import Tensors

/// Which rotary embedding a layer uses (report 2.3.3). One configuration serves a whole layer: queries, window entries,
/// compressed entries, indexer and the inverse on the output.
public struct RotaryConfiguration: Equatable, Sendable {
  /// r: the number of rotated channels, the last ones of a head; 64 in the released models.
  public let ropeDims: Int
  /// θ: 10000 in layers without compression, 160000 in the others.
  public let theta: Double
  /// Nil in layers without compression.
  public let yarn: YaRN?
  public let angles: AnglePolicy
  /// The deployed model's float32 frequencies, `[r/2]`; used instead of computing them.
  public let frequencyTable: [Float]?

  /// - Parameters:
  ///   - ropeDims: r, even
  ///   - headWidth: c, or i in the indexer: r is at most that
  ///   - theta: θ, above 1
  ///   - yarn: nil in layers without compression
  ///   - angles: `AnglePolicy.standard(for:)` of the path unless there is a reason for another
  ///   - frequencyTable: `[r/2]`
  ///   - operation: what an error names
  /// - Throws: `InputError` if r is odd or not between 2 and the head width, θ or YaRN are unusable, or the table has
  ///   another length than r/2.
  public init(
    ropeDims: Int, headWidth: Int, theta: Double, yarn: YaRN? = nil, angles: AnglePolicy,
    frequencyTable: [Float]? = nil, operation: String = "rotary"
  ) throws(InputError) {
    guard ropeDims % 2 == 0, ropeDims >= 2, ropeDims <= headWidth else {
      throw InputError(operation, "rope_dims must be even and between 2 and \(headWidth), got \(ropeDims)")
    }
    guard theta.isFinite, theta > 1 else { throw InputError(operation, "theta must be above 1, got \(theta)") }
    if let yarn {
      guard yarn.factor >= 1, yarn.originalLength > 0, yarn.betaFast > yarn.betaSlow, yarn.betaSlow > 0 else {
        throw InputError(
          operation, "YaRN needs a factor of at least 1, a length and betas in falling order, got \(yarn)")
      }
    }
    if let frequencyTable, frequencyTable.count != ropeDims / 2 {
      throw InputError(
        operation, "frequency_table has shape [\(frequencyTable.count)], expected [\(ropeDims / 2)]")
    }
    self.ropeDims = ropeDims
    self.theta = theta
    self.yarn = yarn
    self.angles = angles
    self.frequencyTable = frequencyTable
  }

  /// The same with another θ and YaRN, without its frequency table: what a layer of another kind would use.
  public func replacing(theta: Double, yarn: YaRN?) -> RotaryConfiguration {
    RotaryConfiguration(ropeDims, theta, yarn, angles, nil)
  }

  private init(_ ropeDims: Int, _ theta: Double, _ yarn: YaRN?, _ angles: AnglePolicy, _ frequencyTable: [Float]?) {
    self.ropeDims = ropeDims
    self.theta = theta
    self.yarn = yarn
    self.angles = angles
    self.frequencyTable = frequencyTable
  }
}

/// YaRN, as released: frequencies are interpolated, cos and sin keep amplitude 1 (no mscale).
public struct YaRN: Equatable, Sendable {
  /// 16 in the released models.
  public let factor: Double
  /// The length that the model was trained for before the extension, in tokens: 65536.
  public let originalLength: Int
  /// Frequencies that turn more often than this within the original length stay: 32.
  public let betaFast: Double
  /// Frequencies that turn less often than this are divided by the factor: 1.
  public let betaSlow: Double

  /// Numbers as they are: `RotaryConfiguration` checks them.
  public init(factor: Double, originalLength: Int, betaFast: Double, betaSlow: Double) {
    self.factor = factor
    self.originalLength = originalLength
    self.betaFast = betaFast
    self.betaSlow = betaSlow
  }
}

/// How the angle position × frequency is formed.
///
/// At the last position of a million tokens one unit in the last place of a float32 frequency is 0.02 radians, so the two
/// part: docs/deviations.md has the numbers.
public enum AnglePolicy: String, Sendable, CaseIterable {
  /// Position and frequency in float64, whatever the path computes in: the truth.
  case exact
  /// float32 position × float32 frequency, rounded to float32: what the deployed model does.
  case float32

  /// The policy of a path unless it is told otherwise: deployed angles in Float, exact ones in Double.
  public static func standard<Scalar: RealScalar>(for _: Scalar.Type) -> AnglePolicy {
    Scalar.self == Float.self ? .float32 : .exact
  }
}
