/// Where the operations of a token come from.
public enum WorkComponent: Hashable, Sendable {
  /// The products with the weights of a group.
  case weights(TensorGroup)
  /// Core attention over the window.
  case windowAttention
  /// Core attention over what an indexer selected: compressed entries in CSA, tokens in V3.2.
  case selectedAttention
  /// Core attention over all compressed entries of HCA.
  case heavilyCompressedAttention
  /// The scores of the indexer: its queries against all of its keys.
  case indexScores

  /// All, in the order in which they are shown.
  public static let all: [WorkComponent] =
    TensorGroup.allCases.map(WorkComponent.weights)
    + [.windowAttention, .selectedAttention, .heavilyCompressedAttention, .indexScores]

  public var name: String {
    switch self {
    case .weights(let group): "weights: \(group.rawValue)"
    case .windowAttention: "attention: window"
    case .selectedAttention: "attention: selected entries"
    case .heavilyCompressedAttention: "attention: HCA entries"
    case .indexScores: "index scores"
    }
  }
}

/// A part of what it takes to decode one token.
public struct TokenWork: Equatable, Sendable {
  public let component: WorkComponent
  public let multiplyAdds: Double
  public let format: ProductFormat

  /// The multiply-adds of a component, and the format that they are done in.
  public init(_ component: WorkComponent, multiplyAdds: Double, _ format: ProductFormat) {
    self.component = component
    self.multiplyAdds = multiplyAdds
    self.format = format
  }

  /// A multiplication and an addition are two operations.
  public func flops(_ rule: CountingRule) -> Double { 2 * multiplyAdds * rule.factor(format) }
}

/// The products of a token with the weights of a model: one multiply-add for each activated weight of a matrix.
///
/// - Parameters:
///   - tensors: of the whole model; multi-token prediction is left out
///   - experts: E
///   - expertsPerToken: k
func weightProducts(_ tensors: [CostedTensor], experts: Int, expertsPerToken: Int) -> [TokenWork] {
  TensorGroup.allCases.filter { $0 != .multiTokenPrediction }.flatMap { group in
    ProductFormat.allCases.compactMap { format in
      let matrices = tensors.filter { $0.group == group && $0.product == format }
      guard !matrices.isEmpty else { return nil }
      var weights = matrices.reduce(0) { $0 + Double($1.count) }
      // In this order, so that the numbers stay whole.
      if group == .routedExperts { weights = weights / Double(experts) * Double(expertsPerToken) }
      return TokenWork(.weights(group), multiplyAdds: weights, format)
    }
  }
}
