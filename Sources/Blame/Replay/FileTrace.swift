import GoldenTensors
import RotaryEmbedding
import Taps
import Tensors
import Traces

/// A trace in a file, as a replay reads it.
public struct FileTrace: RecordedTrace {
  public let calls: [RecordedCall]
  public let precision: PrecisionClass
  public let numerics: NumericsMode
  public let angles: AnglePolicy
  private let file: TraceFile

  /// - Parameters:
  ///   - file: the trace
  ///   - precision: in place of what the file says
  ///   - numerics: the same
  ///   - angles: the same
  public init(
    _ file: TraceFile, precision: PrecisionClass? = nil, numerics: NumericsMode? = nil, angles: AnglePolicy? = nil
  ) {
    self.file = file
    self.precision = precision ?? file.precision
    self.numerics = numerics ?? file.numerics
    self.angles = angles ?? file.angles
    calls = file.calls.map { RecordedCall(start: $0.start, tokenIDs: $0.tokenIDs, names: Set($0.taps)) }
  }

  public func tensor(_ name: String, call: Int) throws -> RecordedTensor? {
    guard calls[call].names.contains(name) else { return nil }
    return switch try file.tensor(name, in: file.calls[call]) {
    case .float32(let tensor): .floats(tensor)
    case .float64(let tensor): .doubles(tensor)
    case .int64(let tensor): .integers(tensor.map { Int($0) })
    case .int32(let tensor): .integers(tensor.map { Int($0) })
    case .uint8(let tensor): .integers(tensor.map { Int($0) })
    case .bool(let tensor): .integers(tensor.map { $0 ? 1 : 0 })
    }
  }
}
