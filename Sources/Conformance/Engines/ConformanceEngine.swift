import GoldenTensors

/// An engine written in Swift that is held to the golden cases in its own tests.
///
/// ```swift
/// struct ToyEngine: ConformanceEngine {
///   let name = "toy"
///   let precision = PrecisionClass.fp32
///
///   func answer(_ request: EngineRequest) throws -> EngineAnswer {
///     guard request.operation == "sinkhorn" else { return .unsupported("only sinkhorn") }
///     let logits: Tensor<Float> = try request.input("combination_logits")
///     return .tensors(["combination": .float32(try toySinkhorn(logits, request.count("iterations")))])
///   }
/// }
/// let report = try ConformanceReport(of: ToyEngine(), GoldenLibrary.bundled())
/// #expect(report.passed, "\(report.text)")
/// ```
public protocol ConformanceEngine {
  /// By which reports call it.
  var name: String { get }
  var version: String { get }
  /// The class by which it is judged.
  var precision: PrecisionClass { get }
  /// The operations of `golden/FORMAT.md` that it knows; nil if it wants to be asked for each. Cases of others count as
  /// unsupported.
  var operations: [String]? { get }

  /// Whether it can take selections that are not its own.
  var replays: Bool { get }

  /// Computes what a case asks for: every tensor that its operation expects, by name.
  ///
  /// - Throws: anything, to refuse the input: right where a case has to be refused, a failure for any other.
  func answer(_ request: EngineRequest) throws -> EngineAnswer

  /// The same with these selections in place of its own. Asked only of an engine that replays.
  ///
  /// - Parameters:
  ///   - request: what the case asks for
  ///   - selections: by the names of the expected tensors, `selection` or `layers.2.ffn.indices`
  func answer(_ request: EngineRequest, holding selections: [String: StoredTensor]) throws -> EngineAnswer
}

extension ConformanceEngine {
  public var version: String { "of no number" }
  public var operations: [String]? { nil }
  public var replays: Bool { false }

  public func answer(
    _ request: EngineRequest, holding selections: [String: StoredTensor]
  ) throws -> EngineAnswer { .unsupported("cannot take selections") }

  var description: EngineDescription {
    EngineDescription(
      name: name, version: version, details: [:], precision: precision, operations: operations, replays: replays)
  }

  /// The answer to a case, a refusal among them.
  ///
  /// - Parameter selections: to be used in place of its own; nil for none
  func reply(to request: EngineRequest, holding selections: [String: StoredTensor]? = nil) -> EngineReply {
    if let reason = description.reasonToSkip(request) { return .unsupported(reason) }
    do {
      switch try selections.map({ try answer(request, holding: $0) }) ?? answer(request) {
      case .tensors(let tensors): return .tensors(tensors)
      case .unsupported(let reason): return .unsupported(plain(reason))
      }
    } catch {
      return .refused(plain("\(error)"))
    }
  }
}

/// What an engine says to a case.
public enum EngineAnswer: Sendable {
  /// Reals as float64 or float32, integers as int64 or int32.
  case tensors([String: StoredTensor])
  /// It does not know how, for this reason.
  case unsupported(String)
}

/// What came of asking an engine.
enum EngineReply: Sendable {
  case tensors([String: StoredTensor])
  case unsupported(String)
  /// It refused the input, in these words.
  case refused(String)
  /// It gave no answer that the protocol allows.
  case fault(String)
}

/// Who an engine says it is.
public struct EngineDescription: Codable, Equatable, Sendable {
  public let name, version: String
  /// What else it says of itself: runtime, device.
  public let details: [String: String]
  public let precision: PrecisionClass
  /// What it knows; nil if it wants to be asked for each.
  public let operations: [String]?
  /// Whether it can take selections that are not its own.
  public let replays: Bool

  /// Why a case need not be sent; nil if it has to be.
  func reasonToSkip(_ request: EngineRequest) -> String? {
    guard let operations, !operations.contains(request.operation) else { return nil }
    return "does not know the operation \(request.operation)"
  }
}

/// The words of an engine, on one line: it may have written anything.
func plain(_ words: String, limit: Int = 400) -> String {
  let scalars = words.unicodeScalars.prefix(limit).map { scalar in
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: " "
    default: String(scalar)
    }
  }
  let line = scalars.joined().split(separator: " ").joined(separator: " ")
  return words.unicodeScalars.count > limit ? line + " …" : line
}
