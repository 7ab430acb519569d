import GoldenTensors
import Taps
import Tensors

/// What passed a tap in a replay: computed from the values that the trace has for everything before it.
struct ReplayedValue {
  let name: String
  let tap: Tap
  let computed: RecordedTensor
  /// What the trace has; nil if it lacks the tap.
  let recorded: RecordedTensor?
  /// Whether the computation went on with what the trace has. Otherwise it went on with what was computed.
  let isReplaced: Bool

  /// What the computation went on with.
  var used: RecordedTensor { isReplaced ? recorded ?? computed : computed }
}

/// Puts what a trace has in place of whatever passes a tap, so that each step is computed from the trace's own values.
final class ReplayRecorder: TapRecorder {
  private(set) var values: [ReplayedValue] = []
  private(set) var places: [String: Int] = [:]
  private(set) var failure: (any Error)?
  private let recorded: (String) throws -> RecordedTensor?
  /// What was asked for before it was computed.
  private var early: [String: RecordedTensor?] = [:]

  /// - Parameter recorded: what the trace has under a name in the present call
  init(_ recorded: @escaping (String) throws -> RecordedTensor?) { self.recorded = recorded }

  func record(_ name: String, tap: Tap, _ computed: RecordedTensor) {
    var found: RecordedTensor?
    do { found = try early[name] ?? recorded(name) } catch { failure = failure ?? error }
    let isReplaced = found.map { $0.canReplace(computed) && isInRange($0, name) } ?? false
    places[name] = values.count
    values.append(ReplayedValue(name: name, tap: tap, computed: computed, recorded: found, isReplaced: isReplaced))
  }

  /// Whether chosen experts or entries are among those that have scores.
  private func isInRange(_ found: RecordedTensor, _ name: String) -> Bool {
    guard let chosen = found.integers else { return true }
    let place = name.split(separator: ".").dropLast().joined(separator: ".")
    let count = self["\(place).scores"]?.computed.shape.last ?? 0
    return chosen.elements.allSatisfy { $0 < count && $0 >= (name.hasSuffix(".indices") ? 0 : -1) }
  }

  func replacement(for name: String) -> RecordedTensor? {
    // Experts ask for a whole before it is computed.
    guard let value = self[name] else {
      if early[name] == nil { early[name] = .some(try? recorded(name)) }
      return early[name] ?? nil
    }
    return value.isReplaced ? value.recorded : nil
  }

  subscript(_ name: String) -> ReplayedValue? { places[name].map { values[$0] } }
}

/// A second replay beside a first one: each value that goes on is disturbed by about one rounding. How far that moves
/// what is computed tells how well it can be known.
final class NoiseRecorder: TapRecorder {
  /// The largest distance to the undisturbed replay, by name.
  private(set) var spreads: [String: Double] = [:]
  private let clean: ReplayRecorder
  private let noise: Noise

  init(beside clean: ReplayRecorder, _ noise: Noise) {
    self.clean = clean
    self.noise = noise
  }

  func record(_ name: String, tap: Tap, _ computed: RecordedTensor) {
    guard let expected = clean[name]?.computed.reals(Double.self), let got = computed.reals(Double.self),
      expected.shape == got.shape
    else { return }
    spreads[name] = max(spreads[name] ?? 0, largestDistance(got, expected))
  }

  func replacement(for name: String) -> RecordedTensor? {
    guard let used = clean[name]?.used else { return nil }
    if case .integers = used { return used }
    return used.reals(Double.self).map { .doubles(noise.disturbed($0, name: name)) }
  }
}

/// The largest |a − b| where both are finite.
private func largestDistance(_ a: Tensor<Double>, _ b: Tensor<Double>) -> Double {
  var largest = 0.0
  for (x, y) in zip(a.elements, b.elements) {
    let distance = abs(x - y)
    if distance > largest, distance.isFinite { largest = distance }
  }
  return largest
}

/// Disturbs values by one unit roundoff, upwards or downwards: each element for itself, or each row as a whole.
struct Noise {
  let unitRoundoff: Double
  let seed: Int
  /// Rows keep their direction: what a common error of all terms of a sum does.
  let byRows: Bool

  func disturbed(_ x: Tensor<Double>, name: String) -> Tensor<Double> {
    let width = max(x.shape.last ?? 1, 1)
    let start =
      UInt64(bitPattern: Int64(seed)) &* 1_000_003
      &+ name.utf8.reduce(14_695_981_039_346_656_037) {
        ($0 ^ UInt64($1)) &* 1_099_511_628_211
      }
    var elements = x.elements
    for index in elements.indices {
      let place = byRows ? index / width : index
      let isUp = splitmix64(start &+ UInt64(place)) >> 63 == 1
      elements[index] *= isUp ? 1 + unitRoundoff : 1 - unitRoundoff
    }
    return (try? Tensor(shape: x.shape, elements: elements)) ?? x
  }
}

extension RecordedTensor {
  /// Whether a computation can go on with this in place of what it computed: same kind and shape, no entry that there
  /// is not, nothing infinite or NaN where there should be a number.
  fileprivate func canReplace(_ computed: RecordedTensor) -> Bool {
    if let got = integers, let wanted = computed.integers {
      guard got.rank == wanted.rank, got.shape.dropLast() == wanted.shape.dropLast() else { return false }
      return true
    }
    guard let got = reals(Double.self), let wanted = computed.reals(Double.self), got.shape == wanted.shape else {
      return false
    }
    return zip(got.elements, wanted.elements).allSatisfy { $0.isFinite || !$1.isFinite && !$0.isNaN }
  }
}
