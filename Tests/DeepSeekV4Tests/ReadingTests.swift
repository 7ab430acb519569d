import DeepSeekV4
import Foundation
import RotaryEmbedding
import Tensors
import Testing

@Suite struct ReadingTests {
  func read(_ text: String) throws -> ConfigurationReading { try ModelConfiguration.read(Data(text.utf8)) }

  @Test(arguments: [false, true])
  func bothFormsOfTheReleasesAreThePresets(isPro: Bool) throws {
    let inference = try read(Published.inference(isPro: isPro))
    let huggingFace = try read(Published.huggingFace(isPro: isPro))
    #expect(inference.configuration == (isPro ? .pro : .flash))
    #expect(huggingFace.configuration == (isPro ? .pro : .flash))
    #expect(inference.form == .inference)
    #expect(huggingFace.form == .huggingFace)
    #expect(inference.warnings.isEmpty && huggingFace.warnings.isEmpty)
  }

  @Test func whatTransformersSavesIsTheTinyPreset() throws {
    let reading = try read(Published.transformers)
    #expect(reading.configuration == .tiny)
    #expect(reading.warnings.isEmpty)
  }

  @Test(arguments: ConfigurationForm.allCases, ModelConfiguration.presets.map(\.name))
  func aWrittenConfigurationIsReadEqual(form: ConfigurationForm, name: String) throws {
    let preset = try ModelConfiguration.preset(name)
    let variants = [
      preset, preset.with { $0.yarn = nil }, preset.with { $0.clampLimit = 0 },
      preset.with { $0.ratios[0] = 3 }, preset.with { $0.multiTokenPredictionLayers = 0 },
      preset.with { $0.expertFormat = $0.denseFormat }, preset.with { $0.expertFormat = .float4 },
      preset.with { $0.normEpsilon = 0.1 + 0.2 },
    ]
    for variant in variants {
      let text = try variant.json(form)
      #expect(try ModelConfiguration.read(text).configuration == variant)
      #expect(try variant.json(form) == text)
    }
  }

  /// Numbers keep their fraction: the transformers library takes 10 for an error where it wants 10.0.
  @Test func writtenTextsAreStable() throws {
    let text = String(decoding: try ModelConfiguration.flash.json(.huggingFace), as: UTF8.self)
    #expect(text.hasPrefix("{\n  \"architectures\": [\"DeepseekV4ForCausalLM\"],\n  \"attention_bias\": false,\n"))
    #expect(text.contains("\n  \"swiglu_limit\": 10.0,\n"))
    #expect(text.contains("\n  \"hc_eps\": 1e-06,\n"))
    #expect(text.contains("\n    \"weight_block_size\": [128, 128]\n  },\n"))
    #expect(text.hasSuffix("\n}\n"))
  }

  /// Only what the released inference configurations omit has a value when it is missing.
  @Test func theReleasedCodeFillsWhatTheReleasedFilesOmit() throws {
    let configuration = try read(Published.inference(isPro: false)).configuration
    #expect(configuration.normEpsilon == 1e-6)
    #expect(configuration.hyperConnectionEpsilon == 1e-6)
    #expect(configuration.multiTokenPredictionLayers == 1)
    #expect(configuration.maximumPositions == 1_048_576)
  }

  @Test func expertsWithoutAFormatAreLikeTheOthers() throws {
    let inference = try read(
      replacing("\"expert_dtype\": \"fp4\"", with: "\"expert_dtype\": null", in: Published.inference(isPro: false)))
    #expect(inference.configuration.expertFormat == .float8)
    let huggingFace = try read(
      replacing("\"expert_dtype\": \"fp4\", ", with: "", in: Published.huggingFace(isPro: false)))
    #expect(huggingFace.configuration.expertFormat == .float8)
    #expect(
      huggingFace.warnings == [
        "\"expert_dtype\" is missing: the experts are taken to be FP8 like the other matrices"
      ])
  }

  @Test func withoutRopeScalingThereIsNoYaRN() throws {
    let noLength = try read(
      replacing("\"original_seq_len\": 65536", with: "\"original_seq_len\": 0", in: Published.inference(isPro: true)))
    #expect(noLength.configuration == ModelConfiguration.pro.with { $0.yarn = nil })
    #expect(noLength.warnings.isEmpty)

    var text = Published.huggingFace(isPro: true)
    let start = try #require(text.range(of: "\"rope_scaling\": {"))
    let end = try #require(text.range(of: "}", range: start.upperBound..<text.endIndex))
    text.replaceSubrange(start.lowerBound..<end.upperBound, with: "\"rope_scaling\": null")
    let noScaling = try read(text)
    #expect(noScaling.configuration == ModelConfiguration.pro.with { $0.yarn = nil })
    #expect(
      noScaling.warnings == ["there is no \"rope_scaling\": layers with compression go without YaRN"])
  }

  @Test func aFactorOfTheAmplitudeIsMissed() throws {
    let reading = try read(replacing("\"attention_factor\": 1.0, ", with: "", in: Published.transformers))
    #expect(reading.configuration == .tiny)
    #expect(
      reading.warnings == [
        "\"rope_parameters.compress.attention_factor\" is missing: the transformers library would scale cos and sin, "
          + "the model does not"
      ])
  }

  /// Ratios, streams and limits that no release has, in the fewest keys.
  @Test func unusualNumbersAreRead() throws {
    let text = """
      {
        "model_type": "deepseek_v4", "vocab_size": 30, "hidden_size": 10, "num_hidden_layers": 3,
        "num_attention_heads": 6, "num_key_value_heads": 1, "head_dim": 10, "qk_rope_head_dim": 2, "q_lora_rank": 7,
        "o_groups": 3, "o_lora_rank": 5, "sliding_window": 5, "compress_ratios": [3, 4, 5, 0], "index_n_heads": 3,
        "index_head_dim": 4, "index_topk": 2, "moe_intermediate_size": 9, "n_routed_experts": 5,
        "n_shared_experts": 1, "num_experts_per_tok": 5, "norm_topk_prob": true, "num_hash_layers": 0,
        "routed_scaling_factor": 0.7, "scoring_func": "sqrtsoftplus", "swiglu_limit": 0, "hc_mult": 3,
        "hc_sinkhorn_iters": 3, "hc_eps": 1e-2, "rms_norm_eps": 1e-3, "rope_theta": 500, "compress_rope_theta": 700.5,
        "rope_scaling": {
          "type": "yarn", "factor": 4, "beta_fast": 8, "beta_slow": 0.5, "original_max_position_embeddings": 16
        },
        "max_position_embeddings": 64, "num_nextn_predict_layers": 1, "tie_word_embeddings": false,
        "hidden_act": "silu", "attention_bias": false
      }
      """
    let expected = ModelConfiguration(
      vocabularySize: 30, width: 10, ratios: [3, 4, 5], multiTokenPredictionLayers: 1,
      heads: 6, headWidth: 10, ropeDims: 2, queryLatentWidth: 7, outputGroups: 3, outputRank: 5, window: 5,
      indexHeads: 3, indexWidth: 4, indexTopK: 2,
      expertWidth: 9, experts: 5, sharedExperts: 1, expertsPerToken: 5, hashLayers: 0, routeScale: 0.7, clampLimit: 0,
      streams: 3, sinkhornIterations: 3, hyperConnectionEpsilon: 1e-2, normEpsilon: 1e-3,
      theta: 500, compressTheta: 700.5,
      yarn: YaRN(factor: 4, originalLength: 16, betaFast: 8, betaSlow: 0.5), maximumPositions: 64,
      denseFormat: .bfloat16, expertFormat: .bfloat16)
    #expect(try read(text).configuration == expected)
  }

  @Test func integersMayBeWrittenWithAFraction() throws {
    let text = replacing("\"dim\": 4096", with: "\"dim\": 4096.0", in: Published.inference(isPro: false))
    #expect(try read(text).configuration == .flash)
  }

  /// V4-Flash-0731: the layers are those of Flash, and three blocks of another kind follow them.
  @Test func releasesWithDSparkKeepTheirLayers() throws {
    let keys =
      ", \"dspark_block_size\": 5, \"dspark_noise_token_id\": 128799, \"dspark_target_layer_ids\": [40, 41, 42], "
      + "\"dspark_markov_rank\": 256"
    let ratios = replacing("4, 0]", with: "4, 0, 0, 0]", in: Published.flashRatios)
    for published in [
      replacing(
        "\"n_layers\": 43", with: "\"n_layers\": 43, \"n_mtp_layers\": 3", in: Published.inference(isPro: false)),
      Published.huggingFace(isPro: false),
    ] {
      let text = replacing(Published.flashRatios, with: ratios + keys, in: published)
      let reading = try read(text)
      #expect(reading.configuration == ModelConfiguration.flash.with { $0.multiTokenPredictionLayers = 0 })
      #expect(
        reading.warnings == [
          "a release with DSpark: its layers are read, its speculative module is left out (dspark_block_size, "
            + "dspark_markov_rank, dspark_noise_token_id, dspark_target_layer_ids), and it has no multi-token prediction"
        ])
    }
  }

  @Test func otherModelsAreRefusedInOneSentence() throws {
    func refusal(_ text: String) -> String? {
      do {
        _ = try read(text)
        return nil
      } catch { return "\(error)" }
    }
    #expect(
      refusal(#"{"model_type": "deepseek_v41", "text_config": {"engram_layer_ids": [1]}, "vision_config": {}}"#)
        == "config: \"engram_layer_ids\" belongs to DeepSeek-V4.1, whose layers are others; "
        + "this is a reference of DeepSeek-V4")
    #expect(
      refusal(#"{"dim": 4096, "kv_source_layers": [2], "vision_n_layers": 32}"#)?
        .hasPrefix("config: \"kv_source_layers\" belongs to DeepSeek-V4.1") == true)
    #expect(
      refusal(#"{"hidden_size": 4096, "vision_n_layers": 32}"#)
        == "config: \"vision_n_layers\" belongs to a model with vision; this is a reference of the text models")
  }
}
