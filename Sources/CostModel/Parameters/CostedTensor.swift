import DeepSeekV4
import Tensors

/// A tensor of parameters, as far as its cost goes.
public struct CostedTensor: Equatable, Sendable {
  public let group: TensorGroup
  /// Parameters in it: one for each value, however it is stored.
  public let count: Int
  /// What a token multiplies it in; nil for what is no matrix of a product: vectors, position biases, the embedding.
  public let product: ProductFormat?

  /// A tensor of `count` parameters; `product` is nil where no token multiplies it.
  public init(_ group: TensorGroup, _ count: Int, product: ProductFormat?) {
    self.group = group
    self.count = count
    self.product = product
  }
}

extension ModelConfiguration {
  /// Every tensor of parameters of a V4 model: all that a checkpoint has but scales and hash tables.
  ///
  /// - Throws: `InputError` if a tensor is of no known group.
  func costedTensors() throws(InputError) -> [CostedTensor] {
    var tensors: [CostedTensor] = []
    for weight in inventory {
      guard case .reals(let format) = weight.storage else { continue }
      let group = try weight.group()
      let isMatrix = weight.shape.count == 2 && group != .embedding && !weight.name.hasSuffix(".ape")
      tensors.append(
        CostedTensor(group, weight.shape.reduce(1, *), product: isMatrix ? ProductFormat(of: format) : nil))
    }
    return tensors
  }
}

extension WeightDescription {
  /// - Throws: `InputError` if it is of no known group.
  func group() throws(InputError) -> TensorGroup {
    guard let group = TensorGroup(officialName: name) else {
      throw InputError("cost", "the tensor \(name) belongs to no known group")
    }
    return group
  }
}

/// The sum of numbers that a hostile configuration can make larger than any integer.
///
/// - Throws: `InputError` if it is.
func checkedSum(_ numbers: some Sequence<Int>) throws(InputError) -> Int {
  var total = 0
  for number in numbers {
    let (sum, overflow) = total.addingReportingOverflow(number)
    if overflow { throw InputError("cost", "the sizes of this configuration add up to more than \(Int.max)") }
    total = sum
  }
  return total
}
