import GoldenTensors
import Taps

extension Tap {
  /// The tap of a recorded name, as in `calls/0000/layers.2.attn.queries`, and its place in the order of computation;
  /// nil if the registry has none. `….unrounded` stands just before its name.
  static func place(ofRecorded name: String) -> (tap: Tap, order: [Int])? {
    var parts = (name.split(separator: "/").last ?? "").split(separator: ".").map(String.init)
    let unrounded = parts.last == "unrounded"
    if unrounded { parts.removeLast() }
    var number = 0
    if parts.count > 2, let value = Int(parts[1]), parts[0] == "layers" || parts[0] == "mtp" {
      number = value
      parts[1] = parts[0] == "layers" ? "{l}" : "{k}"
    }
    guard let position = positions[parts.joined(separator: ".")] else { return nil }
    return (all[position], [stage(parts), number, half(parts), position, unrounded ? 0 : 1])
  }

  private static let positions: [String: Int] = Dictionary(
    all.enumerated().flatMap { index, tap in tap.patterns.map { ($0, index) } }
  ) { first, _ in first }

  /// The beginning, the layers, the head, the end, MTP blocks.
  private static func stage(_ parts: [String]) -> Int {
    switch parts[0] {
    case "embedding", "streams": 0
    case "layers": 1
    case "hc_head": 2
    case "mtp": 4
    default: 3
    }
  }

  /// Where in a block: what goes in, the site of attention, attention, what leaves the site; the same for experts; the
  /// head of an MTP block.
  private static func half(_ parts: [String]) -> Int {
    guard parts.count > 2 else { return 0 }
    let leaves = parts.last == "streams"
    switch parts[2] {
    case "hc_attn": return leaves ? 3 : 1
    case "attn": return 2
    case "hc_ffn": return leaves ? 6 : 4
    case "ffn": return 5
    case "hc_head": return 7
    case "hidden", "logits": return 8
    default: return 0
    }
  }
}

/// Names in the order of computation, so that the first tensor that differs is the one to look at: call by call, then by
/// the registry of taps; what it does not know comes last.
func inOrderOfTaps(_ names: some Sequence<String>) -> [String] {
  let places = names.map { name -> (group: String, order: [Int], name: String) in
    let group = name.lastIndex(of: "/").map { String(name[..<$0]) } ?? ""
    let isInput = name.hasSuffix("token_ids")
    return (group, isInput ? [-1] : Tap.place(ofRecorded: name)?.order ?? [.max], name)
  }
  return places.sorted { a, b in
    if a.group != b.group { return a.group < b.group }
    if a.order != b.order { return a.order.lexicographicallyPrecedes(b.order) }
    return a.name < b.name
  }.map(\.name)
}
