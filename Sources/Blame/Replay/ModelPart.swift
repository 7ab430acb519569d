import CoreAttention
import DeepSeekV4
import Taps
import Tensors

/// A piece of a model that a replay runs on its own, through all calls, before it goes on to the next.
public enum ModelPart: Hashable, Sendable, CustomStringConvertible {
  case beginning
  case layer(Int)
  case ending
  case prediction

  /// The parts of a model, in order.
  static func all(layers: Int, predicts: Bool) -> [ModelPart] {
    [.beginning] + (0..<layers).map(ModelPart.layer) + [.ending] + (predicts ? [.prediction] : [])
  }

  /// The part that a value of this name belongs to.
  public init(ofName name: String) {
    let words = name.split(separator: ".")
    switch words.first {
    case "layers": self = .layer(words.dropFirst().first.flatMap { Int($0) } ?? 0)
    case "mtp": self = .prediction
    case "embedding", "streams": self = .beginning
    default: self = .ending
    }
  }

  /// The name of the streams that it gets, as far as that follows from the part alone.
  var streamsBefore: String? {
    switch self {
    case .layer(0): "streams"
    case .layer(let index): "layers.\(index - 1).hc_ffn.streams"
    case .beginning, .ending, .prediction: nil
    }
  }

  public var description: String {
    switch self {
    case .beginning: "the embedding"
    case .layer(let index): "layer \(index)"
    case .ending: "the head"
    case .prediction: "the MTP block"
    }
  }
}

/// One part of a model as it runs through the calls of a trace.
struct PartRun {
  private let model: LanguageModel<Double>
  private let part: ModelPart
  private let block: TransformerBlock<Double>?
  private var attention: AttentionState<Double>?
  private var prediction: PredictionState<Double>?
  private var position = 0

  /// - Throws: what reading the weights throws.
  init(_ model: LanguageModel<Double>, _ part: ModelPart) throws {
    self.model = model
    self.part = part
    let state = model.emptyState
    if case .layer(let index) = part {
      block = try model.layer(index)
      attention = state.layers[index]
    } else {
      block = nil
      prediction = part == .prediction ? state.prediction : nil
    }
  }

  /// Runs the part on the tokens of a call, after taking back what the call takes back.
  ///
  /// - Parameter streams: what the part before gave, `[T, n, d]`; nil at the beginning
  /// - Returns: what the next part gets: the streams
  mutating func run(_ call: RecordedCall, streams: Tensor<Double>?, hooks: Hooks) throws -> Tensor<Double> {
    if call.start < position {
      let steps = model.steps.state
      if attention != nil { try steps.rollBack(&attention!, to: call.start) }
      if prediction != nil { try prediction!.rollBack(to: call.start, steps: steps) }
    }
    position = call.start + call.tokenIDs.count
    switch part {
    case .beginning: return try model.initialStreams(call.tokenIDs, start: call.start, hooks: hooks)
    case .layer(let index):
      guard let block, attention != nil else { throw InputError("replay", "\(part) was not built") }
      let ids = try Tensor(shape: [call.tokenIDs.count], elements: call.tokenIDs)
      return try block(
        given(streams), tokenIDs: ids, state: &attention!, hooks: hooks.within("layers.\(index)")
      ).streams
    case .ending:
      _ = try model.ending(given(streams), hooks: hooks)
    case .prediction:
      guard var state = prediction else { break }
      prediction = nil  // so that there are never two owners
      defer { prediction = state }
      _ = try model.predict(call.tokenIDs, start: call.start, streams: given(streams), state: &state, hooks: hooks)
    }
    return try given(streams)
  }

  private func given(_ streams: Tensor<Double>?) throws(InputError) -> Tensor<Double> {
    guard let streams else { throw InputError("replay", "\(part) needs the streams before it, which are not recorded") }
    return streams
  }
}
