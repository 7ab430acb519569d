import Foundation

/// `golden/manifest.json`: every case, where its values come from, and how close an implementation has to come.
///
/// Described by `golden/manifest.schema.json` and, in words, by `golden/FORMAT.md`.
public struct GoldenManifest: Codable, Equatable, Sendable {
  public let formatVersion: Int
  public let title: String
  public let caseCount: Int
  public let toleranceRule: ToleranceRule
  public let generators: [String: Generator]
  public let equations: [Equation]
  public let cases: [CaseEntry]

  enum CodingKeys: String, CodingKey, CaseIterable {
    case formatVersion = "format_version"
    case title
    case caseCount = "case_count"
    case toleranceRule = "tolerance_rule"
    case generators, equations, cases
  }

  /// An independent implementation that made or confirmed values.
  public struct Generator: Codable, Equatable, Sendable {
    public let name, version, runtime, precision, description: String

    enum CodingKeys: String, CodingKey, CaseIterable { case name, version, runtime, precision, description }
  }

  /// An equation of the report, or a step that it describes without a number.
  public struct Equation: Codable, Equatable, Sendable {
    public let id, section, title: String

    enum CodingKeys: String, CodingKey, CaseIterable { case id, section, title }
  }

  /// One case.
  public struct CaseEntry: Codable, Equatable, Sendable {
    /// `<preset>/<component>/<case>`
    public let id: String
    /// Relative to `golden/`.
    public let file: String
    public let sha256: String
    public let bytes: Int
    public let preset, component, operation, description: String
    /// Ids of `GoldenManifest.equations`.
    public let equations: [String]
    public let seed: Int
    public let provenance: [Provenance]
    /// The expected tensors by name; empty in a negative case.
    public let tensors: [String: TensorEntry]
    /// The narrowest decision of a selection; nil where nothing is selected.
    public let smallestMargin: Figure?
    /// Each known bug this case shows: the effect as a multiple of the float tolerance, or NaN.
    public let kills: [String: Figure]
    /// The beginning of the error sentence, in a negative case.
    public let expectedError: String?
    public let note: String?

    enum CodingKeys: String, CodingKey, CaseIterable {
      case id, file, sha256, bytes, preset, component, operation, description, equations, seed, provenance, tensors
      case smallestMargin = "smallest_margin"
      case kills
      case expectedError = "expected_error"
      case note
    }
  }

  /// One run of one generator.
  public struct Provenance: Codable, Equatable, Sendable {
    public let generator, version, precision: String

    enum CodingKeys: String, CodingKey, CaseIterable { case generator, version, precision }
  }

  /// What is expected of one tensor, without its values.
  public struct TensorEntry: Codable, Equatable, Sendable {
    public let shape: [Int]
    public let dtype: ElementType
    public let judge: Judge
    /// Nil where `judge` is `exact`.
    public let tolerance: Tolerance?
    public let confirmedBy: [String]

    enum CodingKeys: String, CodingKey, CaseIterable {
      case shape, dtype, judge, tolerance
      case confirmedBy = "confirmed_by"
    }
  }

  /// A real number that may be infinite or NaN, which JSON has no numbers for.
  public struct Figure: Codable, Equatable, Sendable {
    public let value: Double

    /// Any real number, infinite or NaN, too.
    public init(_ value: Double) { self.value = value }

    public init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let number = try? container.decode(Double.self) {
        value = number
      } else {
        switch try container.decode(String.self) {
        case "inf": value = .infinity
        case "-inf": value = -.infinity
        case "nan": value = .nan
        case let text:
          throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not a number")
        }
      }
    }

    public func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      if value.isFinite {
        try container.encode(value)
      } else {
        try container.encode(value.isNaN ? "nan" : value > 0 ? "inf" : "-inf")
      }
    }

    public static func == (left: Figure, right: Figure) -> Bool {
      left.value == right.value || (left.value.isNaN && right.value.isNaN)
    }
  }
}

/// How a tensor is compared.
public enum Judge: String, Codable, Sendable {
  /// `max |got − expected|`
  case absolute
  /// `max |got − expected| / |expected|`
  case relative
  /// No difference at all, the signs of zeros included.
  case exact
  /// Rounded to a coarse format: equal, or one code off where the value before it is too near to the boundary to tell.
  case rounded
  /// Not asked of an engine: the margins by which `rounded` judges.
  case notJudged = "none"

  /// Whether a tensor so judged has a scale, spreads and a tolerance of its own.
  public var hasTolerance: Bool { self == .absolute || self == .relative }
}
