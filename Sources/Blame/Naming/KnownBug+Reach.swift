import DeepSeekV4
import KnownBugs
import Taps

extension KnownBug {
  /// Whether it can change what is computed at taps of any of these places.
  ///
  /// - Parameter roundsNothing: neither activations nor weights are in a deployed format
  func reaches(_ places: Set<Tap.Place>, roundsNothing: Bool) -> Bool {
    guard let step else { return false }
    let reached: Set<Tap.Place>
    switch step {
    case \StepSet.hyperConnection: reached = [.model, .site, .head]
    case \StepSet.routing: reached = [.router]
    case \StepSet.expert: reached = [.experts, .mixture]
    case \StepSet.indexRotary, \StepSet.indexer: reached = [.indexer, .compressor]
    case \StepSet.compression: reached = [.compressor, .attention, .indexer]
    case \StepSet.quantization: return !roundsNothing
    case \StepSet.model: return true
    default: reached = [.attention, .compressor, .indexer]  // attention, its rotary embedding, and states
    }
    return !reached.isDisjoint(with: places)
  }
}
