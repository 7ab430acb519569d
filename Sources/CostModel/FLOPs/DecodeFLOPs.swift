/// The operations that it takes to decode one token behind a context.
///
/// Not counted: norms, softmax, rotary embedding, the selection itself, the mixing of streams, quantization, multi-token
/// prediction. The report does not say what it counts; without these its numbers come out.
public struct DecodeFLOPs: Equatable, Sendable {
  /// One component and its operations, counted by a rule.
  public struct Part: Equatable, Sendable {
    public let component: WorkComponent
    public fileprivate(set) var flops: Double
  }

  /// In the order of the work; each component once.
  public let parts: [Part]

  /// The sum of some work, component by component.
  public init(_ work: [TokenWork], rule: CountingRule) {
    var parts: [Part] = []
    for piece in work {
      if let index = parts.firstIndex(where: { $0.component == piece.component }) {
        parts[index].flops += piece.flops(rule)
      } else {
        parts.append(Part(component: piece.component, flops: piece.flops(rule)))
      }
    }
    self.parts = parts
  }

  /// The products with weights.
  public var weights: Double {
    sum { component in if case .weights = component { true } else { false } }
  }
  /// Core attention over the window and over what was selected.
  public var windowAndSelected: Double { sum { $0 == .windowAttention || $0 == .selectedAttention } }
  /// Core attention over the entries of HCA.
  public var heavilyCompressed: Double { sum { $0 == .heavilyCompressedAttention } }
  /// The scores of the indexer.
  public var indexScores: Double { sum { $0 == .indexScores } }
  public var total: Double { sum { _ in true } }

  private func sum(of isIncluded: (WorkComponent) -> Bool) -> Double {
    parts.filter { isIncluded($0.component) }.reduce(0) { $0 + $1.flops }
  }
}
