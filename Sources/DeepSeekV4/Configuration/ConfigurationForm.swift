/// The two forms in which configurations of DeepSeek-V4 are published.
public enum ConfigurationForm: String, Sendable, CaseIterable {
  /// `inference/config.json` of the released code: `dim`, `n_layers`, …
  case inference
  /// `config.json` of Hugging Face, as released or as the transformers library writes it: `hidden_size`, …
  case huggingFace = "hugging-face"
}
