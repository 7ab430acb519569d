import DeepSeekV4
import GoldenTensors
import RotaryEmbedding
import Taps

/// What a trace is of: the attributes of its root.
public struct TraceDescription: Sendable {
  public let configuration: ModelConfiguration
  /// `float` or `double`.
  public let precision: String
  public let numerics: NumericsMode
  public let angles: AnglePolicy
  /// Who wrote it.
  public let producer: String

  /// What the root of a trace says of the run.
  public init(
    configuration: ModelConfiguration, precision: String, numerics: NumericsMode, angles: AnglePolicy,
    producer: String = "v4-oracle"
  ) {
    self.configuration = configuration
    self.precision = precision
    self.numerics = numerics
    self.angles = angles
    self.producer = producer
  }

  func write(to file: HDF5Writer) throws {
    try file.set("format_version", .integer(TraceWriter.formatVersion))
    try file.set("producer", .text(producer))
    try file.set("precision", .text(precision))
    try file.set("numerics", .text(numerics.rawValue))
    try file.set("angles", .text(angles.rawValue))
    let json = try configuration.json(.huggingFace)
    try file.set("configuration", .text(String(decoding: json, as: UTF8.self)))
  }
}
