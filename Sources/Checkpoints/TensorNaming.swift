/// How a checkpoint of DeepSeek-V4 calls its tensors.
///
/// | naming | an example | where |
/// | --- | --- | --- |
/// | `official` | `layers.3.attn.wq_a.weight` | as released |
/// | `transformers` | `model.layers.3.attn.wq_a.weight` | what `save_pretrained` writes |
/// | `transformersModules` | `model.layers.3.self_attn.q_a_proj.weight` | the same with `save_original_format=False` |
///
/// The second is nearly the first: `save_pretrained` translates the names of its modules back, except for a few. The
/// third fuses the experts of a layer: `gate_up_proj [E, 2f, d]`, of each expert first w1 (gate), then w3 (up), and
/// `down_proj [E, d, f]` (w2). Neither has the multi-token prediction.
public enum TensorNaming: String, CaseIterable, Sendable {
  case official
  case transformers
  case transformersModules = "transformers-modules"
}

/// Where a checkpoint keeps what one official name stands for.
public struct TensorPlace: Equatable, Sendable {
  /// Which part of a stored tensor.
  public enum Part: Equatable, Sendable {
    case whole
    /// Of `[E, R, C]`, some rows of one expert.
    case expert(Int, ExpertRows)
  }

  /// Which rows of an expert: some namings store two matrices below each other.
  public enum ExpertRows: Sendable { case all, firstHalf, secondHalf }

  /// The name of the stored tensor.
  public let stored: String
  public let part: Part

  /// A part of the stored tensor of that name.
  public init(stored: String, part: Part) {
    self.stored = stored
    self.part = part
  }
}

extension TensorNaming {
  /// The official names of what a stored tensor holds, and where each is in it.
  ///
  /// The scales of `X.weight` may be called `X.scale` or `X.weight_scale_inv` in any naming; the official name is
  /// `X.scale`.
  ///
  /// - Returns: nil if this naming has no such tensor. One name, or those of all experts.
  public func officialNames(of tensor: TensorDescription) -> [(official: String, place: TensorPlace)]? {
    guard !tensor.name.contains("#") else { return nil }
    let name = NumberedName(tensor.name)
    if let official = Self.wholeTensors[self]?[name.pattern] {
      return [(NumberedName(official, name.numbers).text, TensorPlace(stored: tensor.name, part: .whole))]
    }
    if self == .transformersModules, let parts = Self.fusedExperts[name.pattern] {
      return fused(tensor, numbers: name.numbers, parts)
    }
    for suffix in ["scale", "weight_scale_inv"] where name.pattern.hasSuffix(".\(suffix)") {
      let weight = String(name.pattern.dropLast(suffix.count)) + "weight"
      guard let official = Self.wholeTensors[self]?[weight] else { continue }
      let scale = NumberedName(String(official.dropLast("weight".count)) + "scale", name.numbers).text
      return [(scale, TensorPlace(stored: tensor.name, part: .whole))]
    }
    return nil
  }

  private func fused(
    _ tensor: TensorDescription, numbers: [Substring], _ parts: [(official: String, rows: TensorPlace.ExpertRows)]
  ) -> [(official: String, place: TensorPlace)]? {
    // The limit keeps a hostile shape such as [10¹⁸, 2, 0] from becoming as many names.
    guard tensor.shape.count == 3, tensor.shape[0] <= 65_536, tensor.shape[1] % parts.count == 0 else { return nil }
    return (0..<tensor.shape[0]).flatMap { expert in
      parts.map { official, rows in
        let name = NumberedName(official, numbers + ["\(expert)"]).text
        return (name, TensorPlace(stored: tensor.name, part: .expert(expert, rows)))
      }
    }
  }
}

/// A name with dots, of which the parts that are numbers have been taken out: `layers.#.ffn.experts.#.w1.weight`, 3, 7.
struct NumberedName {
  let pattern: String
  let numbers: [Substring]

  init(_ name: String) {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    let isNumber = { (part: Substring) in Int(part).map { "\($0)" == part && $0 >= 0 } ?? false }
    self.pattern = parts.map { isNumber($0) ? "#" : $0 }.joined(separator: ".")
    self.numbers = parts.filter(isNumber)
  }

  init(_ pattern: String, _ numbers: [Substring]) {
    self.pattern = pattern
    self.numbers = numbers
  }

  /// The pattern with its numbers put back.
  var text: String {
    var rest = numbers[...]
    let parts = pattern.split(separator: ".", omittingEmptySubsequences: false)
    return parts.map { $0 == "#" ? rest.popFirst() ?? $0 : $0 }.joined(separator: ".")
  }
}
