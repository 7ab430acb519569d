import Taps
import Tensors

/// Listens to a run of a case: keeps its selections and the scores that decide them, puts other selections in their
/// place, and rounds what passes if the run is disturbed.
final class CaseRecorder: TapRecorder {
  /// The selections that the run made by itself, call by call, by the names of the expected tensors.
  private(set) var selections: [String: [Tensor<Int>]] = [:]
  /// The scores behind each selection, call by call, by the name of the selection: `[T, S]`, −∞ where nothing is visible.
  private(set) var scores: [String: [Tensor<Double>]] = [:]
  private let held: [String: [Tensor<Int>]]
  private let disturbance: Disturbance?
  private var calls: [String: Int] = [:]
  /// What the computation will be given for the value that it has just recorded.
  private var pending: (name: String, tensor: RecordedTensor)?

  /// - Parameters:
  ///   - held: selections to be used in place of the run's own, call by call
  ///   - disturbance: nil leaves values as they are
  init(holding held: [String: [Tensor<Int>]] = [:], disturbance: Disturbance? = nil) {
    self.held = held
    self.disturbance = disturbance
  }

  func record(_ name: String, tap: Tap, _ tensor: RecordedTensor) {
    pending = nil
    let call = calls[name, default: 0]
    calls[name] = call + 1
    switch tensor {
    case .integers(let integers):
      let selection = selectionName(name)
      selections[selection, default: []].append(integers)
      if let tensors = held[selection], call < tensors.count { pending = (name, .integers(tensors[call])) }
    case .floats, .doubles:
      guard let reals = tensor.reals(Double.self) else { return }
      let disturbed = disturbance?.rounded(reals, name: name, call: call)
      if let disturbed { pending = (name, .doubles(disturbed)) }
      if tap.name == Tap.indexScores.name && tap.place == .indexer {
        scores[selectionName(name, of: "selection"), default: []].append(disturbed ?? reals)
      } else if tap.name == Tap.selectionScores.name && tap.place == .router {
        scores[selectionName(name, of: "indices"), default: []].append(disturbed ?? reals)
      }
    }
  }

  /// Parts of experts are asked for before their whole is recorded: they get nothing here, and are rounded by the steps.
  func replacement(for name: String) -> RecordedTensor? {
    guard let (pendingName, tensor) = pending, pendingName == name else { return nil }
    pending = nil
    return tensor
  }

  /// The name of the expected tensor for the tap of a selection: `layers.2.attn.selection` for
  /// `layers.2.attn.indexer.selection`.
  private func selectionName(_ tap: String, of last: String? = nil) -> String {
    var parts = tap.split(separator: ".").map(String.init).filter { $0 != "indexer" && $0 != "gate" }
    if let last { parts[parts.count - 1] = last }
    return parts.joined(separator: ".")
  }
}
