/// A key of a published configuration: what it means and what holds if it is missing.
///
/// `docs/configuration.md` shows `all` as tables.
public struct ConfigurationKey: Sendable, Equatable {
  /// What a key is read for.
  public enum Rule: Sendable, Equatable {
    /// Without it the configuration is refused, since the defaults in the released code are not the released model.
    case required
    /// As `required`, but the Hugging Face form can say it in another way, which the text describes.
    case requiredOr(String)
    /// Required in the Hugging Face form. The released inference form omits it and its code then takes this value.
    case inferenceDefault(JSONValue)
    /// It may be missing; the text says what that means.
    case optional(String)
    /// It may be missing, and no other value is accepted.
    case only(JSONValue)
    /// It says nothing about what the model computes.
    case ignored
  }

  /// Nil if the form has no such key.
  public let inference: String?
  /// A key of an inner object is written after a dot, as in `rope_scaling.factor`.
  public let huggingFace: String?
  /// For an ignored key, why it is.
  public let meaning: String
  public let rule: Rule

  init(_ inference: String?, _ huggingFace: String?, _ meaning: String, _ rule: Rule = .required) {
    self.inference = inference
    self.huggingFace = huggingFace
    self.meaning = meaning
    self.rule = rule
  }

  /// The key in one form, nil if that has none.
  public func name(in form: ConfigurationForm) -> String? {
    switch form {
    case .inference: inference
    case .huggingFace: huggingFace
    }
  }

  /// All keys that are known, in the order of the documentation.
  public static let all = fields + alternatives + constants + ignoredKeys

  /// All names that one form knows.
  static func names(in form: ConfigurationForm) -> Set<String> { Set(all.compactMap { $0.name(in: form) }) }

  /// The names of the inner objects that one form knows, with those around them: `rope_parameters` and
  /// `rope_parameters.main` for `rope_parameters.main.rope_theta`.
  static func objectNames(in form: ConfigurationForm) -> Set<String> {
    var objects: Set<String> = []
    for name in names(in: form) {
      let parts = name.split(separator: ".")
      for count in 1..<max(1, parts.count) { objects.insert(parts.prefix(count).joined(separator: ".")) }
    }
    return objects
  }
}
