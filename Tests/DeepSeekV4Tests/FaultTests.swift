import DeepSeekV4
import Foundation
import Tensors
import Testing

@Suite struct FaultTests {
  @Test func allFaultsAreInOneSentence() {
    let text = Published.inference(isPro: false)
      .replacingOccurrences(of: "\"head_dim\": 512", with: "\"foo\": 512")
      .replacingOccurrences(of: "\"n_layers\": 43", with: "\"n_layers\": 44")
    #expect(
      problem(of: text)
        == "3 faults: unknown key \"foo\"; missing \"head_dim\"; "
        + "\"compress_ratios\" has 44 entries for 44 layers and 1 MTP blocks")
  }

  /// A class default would be taken in silence: no clamp, a scale of 1, a θ of 40000, no YaRN, 8 experts.
  @Test func everyKeyOfTheReleasesIsRequired() throws {
    for (text, optional) in [
      (Published.inference(isPro: false), ["expert_dtype"]),
      (
        Published.huggingFace(isPro: false),
        [
          "architectures", "attention_bias", "attention_dropout", "bos_token_id", "eos_token_id", "expert_dtype",
          "hidden_act", "initializer_range", "model_type", "norm_topk_prob", "num_key_value_heads",
          "quantization_config", "rope_scaling", "tie_word_embeddings", "topk_method", "torch_dtype",
          "transformers_version", "use_cache",
        ]
      ),
    ] {
      let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
      for key in object.keys {
        var copy = object
        copy[key] = nil
        let data = try JSONSerialization.data(withJSONObject: copy)
        let result = problem(of: String(decoding: data, as: UTF8.self))
        if optional.contains(key) {
          #expect(result == nil, "\(key)")
        } else {
          #expect(result?.contains("missing \"\(key)\"") == true, "\(key): \(result ?? "read")")
        }
      }
    }
  }

  @Test(arguments: [
    (#""n_heads": 64"#, #""n_heads": "64""#, #""n_heads" must be an integer, got "64""#),
    (#""n_heads": 64"#, #""n_heads": true"#, #""n_heads" must be an integer, got true"#),
    (#""n_heads": 64"#, #""n_heads": 64.5"#, #""n_heads" must be an integer, got 64.5"#),
    (#""n_heads": 64"#, #""n_heads": [64]"#, #""n_heads" must be an integer, got [64]"#),
    (#""n_heads": 64"#, #""n_heads": null"#, #"missing "n_heads""#),
    (#""n_heads": 64"#, #""n_heads": -64"#, "heads must be between 1 and 1048576, got -64"),
    (#""n_layers": 43"#, #""n_layers": 1000000000000000000000000000000"#, #""n_layers" must be an integer, got 1e+30"#),
    (
      #""n_layers": 43"#, #""n_layers": 9223372036854775807"#,
      #""n_layers" must be between 1 and 1024, got 9223372036854775807"#
    ),
    (#""swiglu_limit": 10.0"#, #""swiglu_limit": "10""#, #""swiglu_limit" must be a number, got "10""#),
    (
      #""score_func": "sqrtsoftplus""#, #""score_func": "sigmoid""#,
      #""score_func" must be "sqrtsoftplus", got "sigmoid""#
    ),
    (#""n_shared_experts": 1"#, #""n_shared_experts": 2"#, "shared experts must be 1, got 2"),
    (#""dtype": "fp8""#, #""dtype": "int8""#, #""dtype" must be "bf16" or "fp32" or "fp8", got "int8""#),
    (#""scale_fmt": "ue8m0""#, #""scale_fmt": "e5m2""#, #""scale_fmt" must be "ue8m0", got "e5m2""#),
    (#""scale_fmt": "ue8m0""#, #""scale_fmt": null"#, #"missing "scale_fmt", which quantized matrices need"#),
    (
      #""scale_fmt": "ue8m0""#, #""scale_fmt": "ue8m0", "scale_dtype": "fp32""#,
      #""scale_dtype" must be "fp8" for quantized matrices, got "fp32""#
    ),
    (
      #""dim": 4096"#, #""dim": 4096, "num_hidden_layers": 43"#, #"unknown key "num_hidden_layers" (of the other form)"#
    ),
    (#""dim": 4096"#, #""dim": 4096, "dim": 4096"#, #"the key "dim" stands twice in one object"#),
    (#""dim": 4096"#, #""dim": 4096, "\u0064im": 1"#, #"the key "dim" stands twice in one object"#),
    (
      "4, 128, 4, 0]", "4, 128, 4, 128]",
      #""compress_ratios" ends in [128], but what follows the layers must have ratio 0"#
    ),
    ("4, 128, 4, 0]", "4, 128, 1, 0]", "a ratio must be 0 (no compression) or between 2 and 1048576, got [1]"),
    ("4, 128, 4, 0]", "4, 128, -4, 0]", "a ratio must be 0 (no compression) or between 2 and 1048576, got [-4]"),
    ("4, 128, 4, 0]", #"4, 128, "4", 0]"#, #""compress_ratios" must be a list of integers, got "#),
  ])
  func eachFaultOfTheInferenceFormIsNamed(part: String, other: String, expected: String) {
    let result = problem(of: replacing(part, with: other, in: Published.inference(isPro: false)))
    #expect(result?.hasPrefix(expected) == true, "\(result ?? "read")")
  }

  @Test(arguments: [
    ("", "the text is not JSON, or has a number out of range"),
    ("{\"dim\": 1e400}", "the text is not JSON, or has a number out of range"),
    ("[1, 2]", "the JSON must be an object, got [1, 2]"),
    ("{}", "the object is no configuration of DeepSeek-V4: it has neither \"dim\" nor \"hidden_size\""),
    (String(repeating: " ", count: 1 << 19), "524288 bytes are more than the 131072 of any configuration"),
  ])
  func textsThatAreNoConfiguration(text: String, expected: String) {
    #expect(problem(of: text) == expected)
  }

  @Test func textsThatAreNotUTF8() {
    #expect(throws: InputError("config", "the text is not UTF-8")) {
      try ModelConfiguration.read(Data([0x7B, 0x22, 0xFF, 0x22, 0x7D]))
    }
  }
}
