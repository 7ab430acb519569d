import Tensors

/// The speculative module of later releases of V4 (DSpark, V4-Flash-0731, V4-Pro-0813), which takes the place of
/// multi-token prediction. Their layers are those of V4.
enum DSpark {
  static let prefix = "dspark_"
  /// What the names of its tensors begin with.
  static let tensors = ["mtp.", "dspark", "model.mtp.", "model.dspark"]
}

extension ConfigurationValues {
  /// The keys of the speculative module, in order; none in the first releases.
  var dsparkKeys: [String] { names(startingWith: DSpark.prefix) }

  mutating func warnOfDSpark() {
    guard !dsparkKeys.isEmpty else { return }
    warnings.append(
      "a release with DSpark: its layers are read, its speculative module is left out "
        + "(\(dsparkKeys.prefix(8).joined(separator: ", "))), and it has no multi-token prediction")
  }
}

/// Refuses releases that have other layers.
///
/// - Throws: `InputError` for DeepSeek-V4.1 and for models with vision.
func refuseOtherReleases(_ object: [String: JSONValue]) throws(InputError) {
  var keys = Set(object.keys)
  if case .object(let inner)? = object["text_config"] { keys.formUnion(inner.keys) }
  let newer = keys.filter { key in
    ["engram_", "kv_source_layer", "index_source_layer", "candidate_"].contains { key.hasPrefix($0) }
  }
  if let key = newer.min() {
    throw InputError(
      "config", "\(quoted(key)) belongs to DeepSeek-V4.1, whose layers are others; this is a reference of DeepSeek-V4")
  }
  let vision = keys.filter { key in key.hasPrefix("vision_") || key == "text_config" }
  if let key = vision.min() {
    throw InputError("config", "\(quoted(key)) belongs to a model with vision; this is a reference of the text models")
  }
}
