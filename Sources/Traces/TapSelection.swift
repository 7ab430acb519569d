import Tensors

/// Which taps a trace records.
public struct TapSelection: Sendable {
  /// Names with `*` for any text; a name is recorded if one of them fits it. Empty: all.
  public let globs: [String]
  /// The layers; nil for all. Taps outside the layers do not care.
  public let layers: Set<Int>?

  /// Everything.
  public static let all = TapSelection(globs: [], layers: nil)

  /// Taps whose names fit one of the globs (any, if there are none) in some layers (any, if nil).
  public init(globs: [String], layers: Set<Int>?) {
    self.globs = globs
    self.layers = layers
  }

  /// Whether the tap of this name is recorded: `layers.2.attn.queries`.
  public func contains(_ name: String) -> Bool {
    if let layers, name.hasPrefix("layers.") {
      guard let layer = name.split(separator: ".").dropFirst().first.flatMap({ Int($0) }), layers.contains(layer) else {
        return false
      }
    }
    return globs.isEmpty || globs.contains { Self.matches(name[...], $0[...]) }
  }

  /// Whether a text is what a pattern with `*` describes.
  private static func matches(_ text: Substring, _ pattern: Substring) -> Bool {
    guard let first = pattern.first else { return text.isEmpty }
    guard first == "*" else {
      return text.first == first && matches(text.dropFirst(), pattern.dropFirst())
    }
    let rest = pattern.drop { $0 == "*" }
    if rest.isEmpty { return true }
    return text.indices.contains { matches(text[$0...], rest) }
  }

  /// Layers from a list of numbers and ranges, as in `0,2-4`.
  ///
  /// - Throws: `InputError` if it is none, or names a layer that the model does not have.
  public static func layers(_ list: String, of count: Int) throws(InputError) -> Set<Int> {
    var layers: Set<Int> = []
    for part in list.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2, first <= last,
        (0..<count).contains(first), last < count
      else { throw InputError("trace", "layers must be a list such as 0,2-4 of layers below \(count), got \(list)") }
      layers.formUnion(first...last)
    }
    return layers
  }
}
