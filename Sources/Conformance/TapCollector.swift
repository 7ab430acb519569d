import Taps
import Tensors

/// Remembers what passes the taps, call by call.
final class TapCollector: TapRecorder {
  private var recorded: [String: [RecordedTensor]] = [:]
  /// Who listens, too, and may replace what passes.
  var next: (any TapRecorder)?

  func record(_ name: String, tap: Tap, _ tensor: RecordedTensor) {
    recorded[name, default: []].append(tensor)
    next?.record(name, tap: tap, tensor)
  }

  func replacement(for name: String) -> RecordedTensor? { next?.replacement(for: name) }

  /// What passed a tap in all calls, along the first axis; nil if nothing did.
  func joined(_ name: String) throws -> ProducedTensor? {
    guard let parts = recorded[name] else { return nil }
    let widened = parts.map { part in
      switch part {
      case .floats(let tensor): tensor.map { Double($0) }
      case .doubles(let tensor): tensor
      case .integers(let tensor): tensor.map { Double($0) }
      }
    }
    return .reals(try widened.dropFirst().reduce(widened[0]) { try $0.appending($1) })
  }
}
