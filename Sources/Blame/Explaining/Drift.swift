import DeepSeekV4
import GoldenTensors
import Taps
import Tensors

/// How far the streams of a trace are from those of the reference on the same tokens: what errors have added up to.
public struct LayerDrift: Codable, Sendable {
  /// The tap, `layers.3.hc_ffn.streams`.
  public let name: String
  /// √(Σ (recorded − reference)² / Σ reference²), over all tokens of all calls.
  public let relativeRMS: GoldenManifest.Figure
}

/// Compares the streams as the reference computes them, from the tokens alone.
private final class DriftRecorder: TapRecorder {
  private(set) var sums: [String: (error: Double, reference: Double)] = [:]
  private(set) var names: [String] = []
  private let trace: any RecordedTrace
  var call = 0

  init(_ trace: any RecordedTrace) { self.trace = trace }

  func record(_ name: String, tap: Tap, _ computed: RecordedTensor) {
    guard name == "streams" || name.hasSuffix("hc_ffn.streams") || name == "logits",
      let recorded = try? trace.tensor(name, call: call)?.reals(Double.self), let mine = computed.reals(Double.self),
      recorded.shape == mine.shape
    else { return }
    if sums[name] == nil { names.append(name) }
    var (error, reference) = sums[name] ?? (0, 0)
    for (a, b) in zip(recorded.elements, mine.elements) {
      error += (a - b) * (a - b)
      reference += b * b
    }
    sums[name] = (error, reference)
  }
}

extension LayerDrift {
  /// Runs the reference on the tokens of a trace.
  ///
  /// - Returns: in the order of computation; empty if the trace has no streams
  /// - Throws: what reading the weights throws.
  public static func measure(_ trace: any RecordedTrace, model: LanguageModel<Double>) throws -> [LayerDrift] {
    let recorder = DriftRecorder(trace)
    let hooks = Hooks(numerics: Numerics(trace.numerics), recorder: recorder)
    var state = model.emptyState
    for (index, call) in trace.calls.enumerated() {
      if call.start < state.position { try state.rollBack(to: call.start) }
      recorder.call = index
      _ = try model(call.tokenIDs, state: &state, hooks: hooks)
    }
    return recorder.names.compactMap { name in
      guard let (error, reference) = recorder.sums[name] else { return nil }
      let drift = reference > 0 ? (error / reference).squareRoot() : error > 0 ? .infinity : 0
      return LayerDrift(name: name, relativeRMS: .init(drift))
    }
  }
}
