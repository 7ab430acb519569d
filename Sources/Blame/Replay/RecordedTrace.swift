import GoldenTensors
import RotaryEmbedding
import Taps
import Tensors

/// A trace as a replay reads it: in memory, or in a file.
public protocol RecordedTrace {
  /// The calls of the model, in order.
  var calls: [RecordedCall] { get }
  var precision: PrecisionClass { get }
  var numerics: NumericsMode { get }
  var angles: AnglePolicy { get }

  /// A value that was recorded; nil if it was not.
  ///
  /// - Throws: if it cannot be read.
  func tensor(_ name: String, call: Int) throws -> RecordedTensor?
}

extension RecordedTrace {
  /// The largest number of tokens that a call takes back: what a model has to remember to replay it.
  public var deepestRollBack: Int {
    zip(calls, calls.dropFirst()).map { $0.start + $0.tokenIDs.count - $1.start }.max() ?? 0
  }
}

/// One call of a model.
public struct RecordedCall: Sendable {
  /// The position of its first token. Where that lies before the end of the call before, tokens were taken back.
  public let start: Int
  public let tokenIDs: [Int]
  /// The names of what was recorded.
  public let names: Set<String>

  /// What a trace says of one call.
  public init(start: Int, tokenIDs: [Int], names: Set<String>) {
    self.start = start
    self.tokenIDs = tokenIDs
    self.names = names
  }
}

/// A trace in memory, recorded while a model runs.
public final class MemoryTrace: RecordedTrace, TapRecorder {
  public let precision: PrecisionClass
  public let numerics: NumericsMode
  public let angles: AnglePolicy
  private var recorded: [(start: Int, tokenIDs: [Int], tensors: [String: RecordedTensor])] = []

  /// A trace without a call, for a run of this kind.
  public init(precision: PrecisionClass, numerics: NumericsMode, angles: AnglePolicy) {
    self.precision = precision
    self.numerics = numerics
    self.angles = angles
  }

  public var calls: [RecordedCall] {
    recorded.map { RecordedCall(start: $0.start, tokenIDs: $0.tokenIDs, names: Set($0.tensors.keys)) }
  }

  /// Begins a call.
  public func begin(start: Int, tokenIDs: [Int]) { recorded.append((start, tokenIDs, [:])) }

  public func record(_ name: String, tap: Tap, _ tensor: RecordedTensor) {
    guard !recorded.isEmpty else { return }
    recorded[recorded.count - 1].tensors[name] = tensor
  }

  public func tensor(_ name: String, call: Int) -> RecordedTensor? { recorded[call].tensors[name] }

  /// The same with only the values whose names fit.
  public func keeping(_ keeps: (String) -> Bool) -> MemoryTrace {
    let copy = MemoryTrace(precision: precision, numerics: numerics, angles: angles)
    copy.recorded = recorded.map { ($0.start, $0.tokenIDs, $0.tensors.filter { keeps($0.key) }) }
    return copy
  }
}
