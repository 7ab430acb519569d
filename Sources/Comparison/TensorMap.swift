import GoldenTensors
import Taps
import Tensors
import Traces

/// How the tensors of a foreign dump are called and laid out (`docs/comparing.md`, "Maps").
public struct TensorMap: Sendable {
  /// One line of a map.
  struct Rule: Sendable {
    let ours: NameTemplate
    let theirs: NameTemplate
    /// The axis along which `{r}` counts; nil if the tensor is in one piece.
    let shards: Int?
    let layout: [LayoutStep]

    var takesAPart: Bool { layout.contains { $0.takesAPart } }
  }

  let rules: [Rule]
  let ignored: [String]

  /// No rules: every tensor has our name and layout.
  public static let none = TensorMap(rules: [], ignored: [])
}

/// One step on the way from their layout to ours.
enum LayoutStep: Sendable {
  case transpose([Int])
  case reshape([Length])
  case squeeze(axis: Int)
  case take(axis: Int, index: Int)
  case slice(axis: Int, range: Range<Int>)

  /// The length of an axis.
  enum Length: Sendable {
    case number(Int)
    /// That of the axis of the expected tensor, by its letter in the registry of taps.
    case axis(String)
  }

  /// Whether what is left over may belong to another tensor.
  var takesAPart: Bool {
    switch self {
    case .take, .slice: true
    case .transpose, .reshape, .squeeze: false
    }
  }

  /// - Parameters:
  ///   - axes: the lengths of the expected tensor's axes, by letter
  /// - Throws: `InputError` if the step does not fit.
  func applied(to tensor: StoredTensor, axes: [String: Int]) throws(InputError) -> StoredTensor {
    switch self {
    case .transpose(let order): return try tensor.applying(Transpose(order: order))
    case .squeeze(let axis): return try tensor.applying(Squeeze(axis: axis))
    case .take(let axis, let index):
      return try tensor.applying(Slice(axis: axis, range: index..<index + 1)).applying(Squeeze(axis: axis))
    case .slice(let axis, let range): return try tensor.applying(Slice(axis: axis, range: range))
    case .reshape(let lengths):
      var numbers: [Int] = []
      for length in lengths {
        switch length {
        case .number(let number): numbers.append(number)
        case .axis(let letter):
          guard let number = axes[letter] else {
            throw InputError("layout", "the expected tensor has no axis \(letter), only \(axes.keys.sorted())")
          }
          numbers.append(number)
        }
      }
      return try tensor.applying(Reshape(lengths: numbers))
    }
  }
}

extension TensorMap {
  /// What a rule finds in a candidate for an expected tensor.
  struct Finding {
    let rule: Int
    /// One, or the shards in order.
    let names: [String]
  }

  /// Every rule that finds something for an expected name.
  func findings(for name: String, among candidates: Set<String>) -> [Finding] {
    rules.indices.compactMap { index in
      let rule = rules[index]
      guard var numbers = rule.ours.match(name) else { return nil }
      guard rule.shards != nil else {
        let theirs = rule.theirs.name(numbers)
        return candidates.contains(theirs) ? Finding(rule: index, names: [theirs]) : nil
      }
      var names: [String] = []
      repeat {
        numbers[Self.rank] = names.count
        names.append(rule.theirs.name(numbers))
      } while candidates.contains(names[names.count - 1])
      names.removeLast()
      return names.isEmpty ? nil : Finding(rule: index, names: names)
    }
  }

  /// The number that counts shards.
  static let rank = "r"

  /// The tensor that a rule makes of what it found, in our layout.
  ///
  /// A tensor that is only called otherwise is read piece by piece as any other; a change of layout needs all of it.
  ///
  /// - Parameter last: keeps it until the next one is needed
  /// - Throws: `GoldenError` with the names if the layout does not fit, and what reading throws.
  func source(
    _ finding: Finding, for name: String, shape: [Int], in file: TensorFile, keeping last: LastTensor
  ) throws -> TensorSource {
    let rule = rules[finding.rule]
    if rule.layout.isEmpty, finding.names.count == 1 { return try TensorSource(finding.names[0], in: file) }
    return try TensorSource(stored: file.description(of: finding.names[0]).stored) {
      try last.tensor(name) { try tensor(finding, for: name, shape: shape, in: file) }
    }
  }

  private func tensor(
    _ finding: Finding, for name: String, shape: [Int], in file: TensorFile
  ) throws -> StoredTensor {
    let rule = rules[finding.rule]
    do {
      let parts = try finding.names.map { try file.read($0) }
      var tensor = try StoredTensor.concatenated(parts, axis: rule.shards ?? 0)
      let axes = Self.axes(of: name, shape: shape)
      for step in rule.layout { tensor = try step.applied(to: tensor, axes: axes) }
      return tensor
    } catch let error as InputError {
      throw GoldenError(file.name, "\(finding.names[0]) cannot be laid out as \(name): \(error.problem)")
    }
  }

  private static func axes(of name: String, shape: [Int]) -> [String: Int] {
    guard let tap = Tap.place(ofRecorded: name)?.tap, tap.shape.count == shape.count else { return [:] }
    return Dictionary(zip(tap.axes(of: name), shape)) { first, _ in first }
  }
}

/// The tensor that was laid out last, so that it is not made anew for each of its pieces, and no more than one of them
/// is in memory.
final class LastTensor {
  private var last: (name: String, tensor: StoredTensor)?

  func tensor(_ name: String, make: () throws -> StoredTensor) rethrows -> StoredTensor {
    if let last, last.name == name { return last.tensor }
    last = nil
    let tensor = try make()
    last = (name, tensor)
    return tensor
  }
}
