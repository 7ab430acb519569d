import Foundation
import Tensors

/// A configuration that was read, and what its reader should know.
public struct ConfigurationReading: Sendable, Equatable {
  public let configuration: ModelConfiguration
  /// The form that it was read from.
  public let form: ConfigurationForm
  /// One sentence each: what is left out, or was taken to be so.
  public let warnings: [String]
  /// What the names of tensors begin with that belong to a module which is left out.
  public let ignoredTensors: [String]
}

extension ModelConfiguration {
  /// Reads a published configuration in either form; `docs/configuration.md` lists the keys.
  ///
  /// A missing key is an error even where the released code has a default, since most of those defaults are not the
  /// released model: no clamp, no YaRN, a route scale of 1. Only what the released files omit may be missing.
  ///
  /// - Parameter json: UTF-8 text of at most 131072 bytes
  /// - Throws: `InputError` with everything that is wrong: unknown, missing, contradictory and unsupported values. One
  ///   sentence if the text is no JSON object, or a release with other layers (DeepSeek-V4.1, vision).
  public static func read(_ json: Data) throws(InputError) -> ConfigurationReading {
    let object = try JSONValue.object(json, operation: operation)
    try refuseOtherReleases(object)
    var values = ConfigurationValues(object, form: try form(of: object))
    let configuration = ModelConfiguration(&values)
    values.warnOfDSpark()
    let faults = values.faults + (values.isComplete ? configuration.faults : [])
    try throwFaults(faults)
    return ConfigurationReading(
      configuration: configuration, form: values.form, warnings: values.warnings,
      ignoredTensors: values.dsparkKeys.isEmpty ? [] : DSpark.tensors)
  }

  /// The form that more of the keys belong to.
  private static func form(of object: [String: JSONValue]) throws(InputError) -> ConfigurationForm {
    let (inference, huggingFace) = (ConfigurationKey.names(in: .inference), ConfigurationKey.names(in: .huggingFace))
    let onlyInference = object.keys.filter { inference.contains($0) && !huggingFace.contains($0) }
    let onlyHuggingFace = object.keys.filter { huggingFace.contains($0) && !inference.contains($0) }
    guard !onlyInference.isEmpty || !onlyHuggingFace.isEmpty else {
      throw InputError(
        operation, "the object is no configuration of DeepSeek-V4: it has neither \"dim\" nor \"hidden_size\"")
    }
    return onlyInference.count > onlyHuggingFace.count ? .inference : .huggingFace
  }

  private init(_ values: inout ConfigurationValues) {
    let layers = values.integer(.layers, in: 1...Self.mostLayers)
    // DSpark has blocks of its own kind in the place of multi-token prediction.
    let blocks =
      values.dsparkKeys.isEmpty ? values.integer(.multiTokenPredictionLayers, in: 0...Self.mostLayers) : nil
    let headWidth = values.integer(.headWidth)
    let formats = values.formats()
    values.requireText(.scoring, "sqrtsoftplus")
    self.init(
      vocabularySize: values.integer(.vocabularySize), width: values.integer(.width),
      ratios: values.ratios(layers: layers, blocks: blocks), multiTokenPredictionLayers: blocks ?? 0,
      heads: values.integer(.heads), headWidth: headWidth, ropeDims: values.ropeDims(headWidth: headWidth),
      queryLatentWidth: values.integer(.queryLatentWidth), outputGroups: values.integer(.outputGroups),
      outputRank: values.integer(.outputRank), window: values.integer(.window),
      indexHeads: values.integer(.indexHeads), indexWidth: values.integer(.indexWidth),
      indexTopK: values.integer(.indexTopK),
      expertWidth: values.integer(.expertWidth), experts: values.integer(.experts),
      sharedExperts: values.integer(.sharedExperts), expertsPerToken: values.integer(.expertsPerToken),
      hashLayers: values.hashLayers(layers: layers), routeScale: values.number(.routeScale),
      clampLimit: values.number(.clampLimit),
      streams: values.integer(.streams), sinkhornIterations: values.integer(.sinkhornIterations),
      hyperConnectionEpsilon: values.number(.hyperConnectionEpsilon), normEpsilon: values.number(.normEpsilon),
      theta: values.theta(), compressTheta: values.compressTheta(), yarn: values.yarn(),
      maximumPositions: values.integer(.maximumPositions),
      denseFormat: formats.dense, expertFormat: formats.experts)
  }
}
