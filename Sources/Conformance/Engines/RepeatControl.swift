import GoldenTensors
import Tensors

/// How far an engine is from itself, from run to run of the same case.
public struct RepeatControl: Codable, Sendable {
  /// How often each case was run.
  public let runs: Int
  /// Cases that gave tensors each time.
  public private(set) var cases = 0
  /// Of these, the ones that gave the same bits each time.
  public private(set) var identical = 0
  /// Cases that gave tensors in one run and something else, or other tensors, in another.
  public private(set) var unstable: [String] = []
  /// The largest difference to the first run, as a multiple of the tolerance.
  public private(set) var largest: Difference?

  /// How far two runs of a case are apart in one tensor.
  public struct Difference: Codable, Sendable {
    public let id, tensor: String
    public let multiple: GoldenManifest.Figure
  }

  init(runs: Int) { self.runs = runs }

  /// Takes in what came of the runs of one case.
  mutating func add(_ goldenCase: GoldenCase, _ replies: [EngineReply], _ tolerances: CaseTolerances) {
    let tensors = replies.compactMap(\.tensors)
    guard let first = tensors.first else { return }
    guard tensors.count == replies.count, tensors.allSatisfy({ $0.keys == first.keys }) else {
      unstable.append(goldenCase.entry.id)
      return
    }
    cases += 1
    if tensors.allSatisfy({ $0.hasSameBits(as: first) }) {
      identical += 1
      return
    }
    for other in tensors.dropFirst() {
      for (name, tensor) in first.sorted(by: { $0.key < $1.key }) {
        guard let again = other[name], !again.hasSameBits(as: tensor) else { continue }
        note(goldenCase, name, tensor, again, tolerances)
      }
    }
  }

  private mutating func note(
    _ goldenCase: GoldenCase, _ name: String, _ first: StoredTensor, _ other: StoredTensor,
    _ tolerances: CaseTolerances
  ) {
    guard let one = ProducedTensor(first), let two = ProducedTensor(other) else { return }
    let judge = goldenCase.entry.tensors[name]?.judge ?? .exact
    let comparison = TensorComparison.compare(
      name, got: two, expected: StoredTensor(one), judge: judge.hasTolerance ? judge : .exact,
      tolerance: tolerances.tolerance(name))
    let multiple = comparison.multiple.value
    if let largest, largest.multiple.value.isNaN || multiple <= largest.multiple.value { return }
    largest = Difference(id: goldenCase.entry.id, tensor: name, multiple: .init(multiple))
  }

  /// What there is to say, in a sentence.
  var sentence: String {
    var text = "\(runs) runs of each case: \(identical) of \(cases) give the same bits each time"
    if let largest {
      text +=
        "; the largest difference is \(brief(largest.multiple.value)) times the tolerance, in "
        + "\(plain(largest.tensor)) of \(largest.id)"
    }
    if let first = unstable.first {
      text += "; \(unstable.count) give other kinds of answers from run to run, \(first) among them"
    }
    return text + "."
  }
}

extension EngineReply {
  var tensors: [String: StoredTensor]? {
    guard case .tensors(let tensors) = self else { return nil }
    return tensors
  }
}

extension [String: StoredTensor] {
  /// Whether names, types, shapes and all bits are the same.
  func hasSameBits(as other: Self) -> Bool {
    keys == other.keys && allSatisfy { name, tensor in other[name].map(tensor.hasSameBits) ?? false }
  }
}

extension StoredTensor {
  /// Whether type, shape and all bits are the same; NaN is equal to itself here, and −0 not to 0.
  func hasSameBits(as other: StoredTensor) -> Bool {
    switch (self, other) {
    case (.float32(let a), .float32(let b)): a.map(\.bitPattern) == b.map(\.bitPattern)
    case (.float64(let a), .float64(let b)): a.map(\.bitPattern) == b.map(\.bitPattern)
    default: self == other
    }
  }
}
