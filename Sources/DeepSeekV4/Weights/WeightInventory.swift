import Checkpoints

// Axes: V vocabulary, d model width, n streams, M mixes, h heads, c head width, q query latent width, g output groups,
// p group rank, m compression ratio, w projected width, H index heads, i index width, E experts, k experts per token,
// f expert width. docs/checkpoints.md has every shape in these letters.

/// One tensor of a checkpoint.
public struct WeightDescription: Equatable, Sendable {
  /// The official name, as in `layers.3.attn.wq_a.weight`.
  public let name: String
  public let shape: [Int]
  public let storage: WeightStorage

  init(_ name: String, _ shape: [Int], _ storage: WeightStorage) {
    self.name = name
    self.shape = shape
    self.storage = storage
  }
}

/// How a tensor is stored: in one of the formats of matrices, or as the integers of the hash table.
public enum WeightStorage: Equatable, Sendable {
  case reals(WeightFormat)
  case int64
}

extension WeightDescription {
  /// What a checkpoint stores of it: itself and, for FP8 and FP4, its scales.
  ///
  /// - Throws: `CheckpointError` if a block of the format does not fit the shape.
  public func stored() throws(CheckpointError) -> [TensorDescription] {
    switch storage {
    case .int64: [TensorDescription(name, .int64, shape)]
    case .reals(let format): try format.encoding.tensors(name, shape)
    }
  }
}

extension ModelConfiguration {
  /// Every tensor of a checkpoint of this model, scales not listed: they belong to their matrices.
  public var inventory: [WeightDescription] {
    let matrices = plainStorage
    var all = [
      WeightDescription("embed.weight", [vocabularySize, width], matrices),
      WeightDescription("head.weight", [vocabularySize, width], matrices),
      WeightDescription("norm.weight", [width], matrices),
    ]
    all += collapse(prefix: "")
    for layer in 0..<layers { all += block(prefix: "layers.\(layer).", ratio: ratios[layer], hash: layer < hashLayers) }
    for block in 0..<multiTokenPredictionLayers { all += prediction(prefix: "mtp.\(block).", matrices) }
    return all
  }

  /// What is stored as it is, without scales: norms, embedding, LM head, gates and the projections of compressors.
  private var plainStorage: WeightStorage { .reals(denseFormat == .float32 ? .float32 : .bfloat16) }

  private func collapse(prefix: String) -> [WeightDescription] {
    [
      WeightDescription(prefix + "hc_head_fn", [streams, streams * width], .reals(.float32)),
      WeightDescription(prefix + "hc_head_base", [streams], .reals(.float32)),
      WeightDescription(prefix + "hc_head_scale", [1], .reals(.float32)),
    ]
  }

  private func prediction(prefix: String, _ matrices: WeightStorage) -> [WeightDescription] {
    var all = block(prefix: prefix, ratio: 0, hash: false) + collapse(prefix: prefix)
    for name in ["e_proj", "h_proj"] {
      all.append(WeightDescription(prefix + name + ".weight", [width, width], .reals(denseFormat)))
    }
    for name in ["enorm", "hnorm", "norm"] {
      all.append(WeightDescription(prefix + name + ".weight", [width], matrices))
    }
    return all
  }

  private func block(prefix: String, ratio: Int, hash: Bool) -> [WeightDescription] {
    let plain = plainStorage
    let mixes = (2 + streams) * streams
    var all: [WeightDescription] = []
    for site in ["attn", "ffn"] {
      all.append(WeightDescription("\(prefix)\(site)_norm.weight", [width], plain))
      all.append(WeightDescription("\(prefix)hc_\(site)_fn", [mixes, streams * width], .reals(.float32)))
      all.append(WeightDescription("\(prefix)hc_\(site)_base", [mixes], .reals(.float32)))
      all.append(WeightDescription("\(prefix)hc_\(site)_scale", [3], .reals(.float32)))
    }
    all += attention(prefix: prefix + "attn.", ratio: ratio, plain)
    all += mixture(prefix: prefix + "ffn.", hash: hash, plain)
    return all
  }

  private func attention(prefix: String, ratio: Int, _ plain: WeightStorage) -> [WeightDescription] {
    let dense: WeightStorage = .reals(denseFormat)
    var all = [
      WeightDescription(prefix + "attn_sink", [heads], .reals(.float32)),
      WeightDescription(prefix + "wq_a.weight", [queryLatentWidth, width], dense),
      WeightDescription(prefix + "q_norm.weight", [queryLatentWidth], plain),
      WeightDescription(prefix + "wq_b.weight", [heads * headWidth, queryLatentWidth], dense),
      WeightDescription(prefix + "wkv.weight", [headWidth, width], dense),
      WeightDescription(prefix + "kv_norm.weight", [headWidth], plain),
      WeightDescription(
        prefix + "wo_a.weight", [outputGroups * outputRank, heads * headWidth / outputGroups], dense),
      WeightDescription(prefix + "wo_b.weight", [width, outputGroups * outputRank], dense),
    ]
    if ratio > 0 { all += compressor(prefix: prefix + "compressor.", ratio: ratio, entryWidth: headWidth, plain) }
    if case .compressedSparse = LayerKind(ratio: ratio) {
      all.append(
        WeightDescription(prefix + "indexer.wq_b.weight", [indexHeads * indexWidth, queryLatentWidth], dense))
      all.append(WeightDescription(prefix + "indexer.weights_proj.weight", [indexHeads, width], plain))
      all += compressor(prefix: prefix + "indexer.compressor.", ratio: ratio, entryWidth: indexWidth, plain)
    }
    return all
  }

  private func compressor(
    prefix: String, ratio: Int, entryWidth: Int, _ plain: WeightStorage
  ) -> [WeightDescription] {
    let projected = LayerKind(ratio: ratio) == .compressedSparse ? 2 * entryWidth : entryWidth
    return [
      WeightDescription(prefix + "ape", [ratio, projected], .reals(.float32)),
      WeightDescription(prefix + "wkv.weight", [projected, width], plain),
      WeightDescription(prefix + "wgate.weight", [projected, width], plain),
      WeightDescription(prefix + "norm.weight", [entryWidth], plain),
    ]
  }

  private func mixture(prefix: String, hash: Bool, _ plain: WeightStorage) -> [WeightDescription] {
    var all = [WeightDescription(prefix + "gate.weight", [experts, width], plain)]
    all.append(
      hash
        ? WeightDescription(prefix + "gate.tid2eid", [vocabularySize, expertsPerToken], .int64)
        : WeightDescription(prefix + "gate.bias", [experts], .reals(.float32)))
    for expert in 0..<experts {
      all += swiGLU(prefix: "\(prefix)experts.\(expert).", .reals(expertFormat))
    }
    return all + swiGLU(prefix: prefix + "shared_experts.", .reals(denseFormat))
  }

  private func swiGLU(prefix: String, _ storage: WeightStorage) -> [WeightDescription] {
    [
      WeightDescription(prefix + "w1.weight", [expertWidth, width], storage),
      WeightDescription(prefix + "w2.weight", [width, expertWidth], storage),
      WeightDescription(prefix + "w3.weight", [expertWidth, width], storage),
    ]
  }
}
