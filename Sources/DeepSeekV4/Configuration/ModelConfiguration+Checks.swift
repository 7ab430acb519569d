import Tensors

extension ModelConfiguration {
  static let operation = "config"
  /// More than any model has; it bounds what a hostile file can ask for.
  static let mostLayers = 1024
  /// The same of all layers together: Pro has 23424.
  static let mostExperts = 1 << 17
  /// More faults than a configuration can have without a flood of unknown keys: those are cut here.
  static let toldFaults = 100
  /// The largest size of an axis. Any product of three sizes fits into `Int`.
  static let largestSize = 1 << 20

  /// - Throws: `InputError` with everything that is wrong.
  public func validate() throws(InputError) { try Self.throwFaults(faults) }

  /// Everything that is wrong, one clause each; empty if the model can be computed.
  public var faults: [String] {
    sizeFaults + layerFaults + attentionFaults + expertFaults + numberFaults + rotaryFaults
  }

  /// - Throws: `InputError` with the faults in one sentence, if there are any.
  static func throwFaults(_ faults: [String]) throws(InputError) {
    guard faults.count > 1 else {
      if let fault = faults.first { throw InputError(operation, fault) }
      return
    }
    let listed = faults.prefix(toldFaults).joined(separator: "; ")
    let rest = faults.count > toldFaults ? "; and \(faults.count - toldFaults) more" : ""
    throw InputError(operation, "\(faults.count) faults: \(listed)\(rest)")
  }

  private var sizeFaults: [String] {
    let sizes = [
      ("vocabulary size", vocabularySize), ("width", width), ("heads", heads), ("head width", headWidth),
      ("query latent width", queryLatentWidth), ("output groups", outputGroups), ("output rank", outputRank),
      ("window", window), ("index heads", indexHeads), ("index width", indexWidth), ("index top-k", indexTopK),
      ("expert width", expertWidth), ("experts", experts), ("experts per token", expertsPerToken),
      ("streams", streams), ("Sinkhorn iterations", sinkhornIterations),
    ]
    return sizes.compactMap { Self.rangeFault($0.0, $0.1, 1...Self.largestSize) }
      + [Self.rangeFault("maximum positions", maximumPositions, 1...1 << 32)].compactMap { $0 }
  }

  private var layerFaults: [String] {
    var faults = [
      Self.rangeFault("layers", layers, 1...Self.mostLayers),
      Self.rangeFault("MTP blocks", multiTokenPredictionLayers, 0...1),
      Self.rangeFault("hash layers", hashLayers, 0...max(0, layers)),
    ].compactMap { $0 }
    let wrong = Set(ratios.filter { $0 < 0 || $0 == 1 || $0 > Self.largestSize }).sorted()
    if !wrong.isEmpty {
      faults.append("a ratio must be 0 (no compression) or between 2 and \(Self.largestSize), got \(wrong.prefix(8))")
    }
    return faults
  }

  private var attentionFaults: [String] {
    var faults: [String] = []
    if outputGroups > 0, heads % outputGroups != 0 {
      faults.append("heads (\(heads)) must be divisible by output groups (\(outputGroups))")
    }
    if ropeDims < 2 || ropeDims % 2 != 0 || ropeDims > headWidth {
      faults.append("rotated channels must be even and between 2 and the head width (\(headWidth)), got \(ropeDims)")
    }
    if ratios.contains(4), indexWidth < ropeDims || indexWidth.nonzeroBitCount != 1 {
      faults.append(
        "index width must be a power of two and at least the \(ropeDims) rotated channels, got \(indexWidth)")
    }
    return faults
  }

  private var expertFaults: [String] {
    var faults: [String] = []
    if sharedExperts != 1 { faults.append("shared experts must be 1, got \(sharedExperts)") }
    if experts > 0, layers > Self.mostExperts / experts {
      faults.append("\(layers) layers of \(experts) experts are more than \(Self.mostExperts) experts in all")
    }
    if expertsPerToken > experts {
      faults.append("experts per token (\(expertsPerToken)) must be at most experts (\(experts))")
    }
    if expertFormat != denseFormat, expertFormat != .float4 {
      faults.append(
        "experts must be \(WeightFormat.float4) or like the other matrices (\(denseFormat)), "
          + "got \(expertFormat)")
    }
    if denseFormat == .float4 { faults.append("only experts can be \(WeightFormat.float4)") }
    return faults
  }

  private var numberFaults: [String] {
    var faults: [String] = []
    if !(routeScale.isFinite && routeScale > 0) {
      faults.append("route scale must be finite and positive, got \(routeScale)")
    }
    if !(clampLimit.isFinite && clampLimit >= 0) {
      faults.append("clamp limit must be 0 (off) or positive, got \(clampLimit)")
    }
    for (name, epsilon) in [("hyper-connection epsilon", hyperConnectionEpsilon), ("norm epsilon", normEpsilon)]
    where !(epsilon.isFinite && epsilon >= 0) {
      faults.append("\(name) must be finite and not negative, got \(epsilon)")
    }
    return faults
  }

  private var rotaryFaults: [String] {
    var faults: [String] = []
    for (name, theta) in [("theta", theta), ("compress theta", compressTheta)] where !(theta.isFinite && theta > 1) {
      faults.append("\(name) must be finite and above 1, got \(theta)")
    }
    if let yarn,
      !(yarn.factor.isFinite && yarn.factor >= 1 && yarn.betaFast.isFinite && yarn.betaFast > yarn.betaSlow
        && yarn.betaSlow > 0 && (1...1 << 32).contains(yarn.originalLength))
    {
      faults.append(
        "YaRN needs a factor of at least 1, a positive length and betas in falling order, got factor \(yarn.factor), "
          + "length \(yarn.originalLength), betas \(yarn.betaFast) and \(yarn.betaSlow)")
    }
    return faults
  }

  private static func rangeFault(_ name: String, _ value: Int, _ range: ClosedRange<Int>) -> String? {
    range.contains(value) ? nil : "\(name) must be between \(range.lowerBound) and \(range.upperBound), got \(value)"
  }
}
