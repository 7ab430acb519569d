import Tensors

extension DeepSeekV32 {
  /// Every tensor of parameters; scales are none.
  func costedTensors() throws(InputError) -> [CostedTensor] {
    let layer = attention + indexer + [CostedTensor(.norms, 2 * width, product: nil)]
    var tensors = [
      CostedTensor(.embedding, vocabularySize * width, product: nil),
      CostedTensor(.languageModelHead, vocabularySize * width, product: .bfloat16),
      CostedTensor(.norms, width, product: nil),
    ]
    for index in 0..<layers { tensors += layer + (index < denseLayers ? denseFeedForward : mixtureOfExperts) }
    return tensors
  }

  /// q_a, q_b, kv_a, kv_b, o and two norms.
  private var attention: [CostedTensor] {
    let (queries, latents) = (queryLatentWidth, keyValueLatentWidth)
    return [
      CostedTensor(.attention, queries * width, product: .float8),
      CostedTensor(.attention, heads * (plainDims + ropeDims) * queries, product: .float8),
      CostedTensor(.attention, (latents + ropeDims) * width, product: .float8),
      CostedTensor(.attention, heads * (plainDims + valueDims) * latents, product: .bfloat16),
      CostedTensor(.attention, width * heads * valueDims, product: .float8),
      CostedTensor(.attention, queries + latents, product: nil),
    ]
  }

  /// Queries from the latent, one key, the weights of the heads, and the norm of the key: a weight and a bias.
  private var indexer: [CostedTensor] {
    [
      CostedTensor(.indexer, indexHeads * indexWidth * queryLatentWidth, product: .float8),
      CostedTensor(.indexer, indexWidth * width, product: .float8),
      CostedTensor(.indexer, indexHeads * width, product: .bfloat16),
      CostedTensor(.indexer, 2 * indexWidth, product: nil),
    ]
  }

  private var denseFeedForward: [CostedTensor] {
    [CostedTensor(.denseFeedForward, 3 * width * denseWidth, product: .float8)]
  }

  private var mixtureOfExperts: [CostedTensor] {
    let expert = 3 * width * expertWidth
    return [
      CostedTensor(.router, experts * width, product: .bfloat16), CostedTensor(.router, experts, product: nil),
      CostedTensor(.sharedExperts, sharedExperts * expert, product: .float8),
      CostedTensor(.routedExperts, experts * expert, product: .float8),
    ]
  }
}
