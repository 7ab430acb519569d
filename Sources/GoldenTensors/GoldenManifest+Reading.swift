import Foundation

extension GoldenManifest {
  /// Reads a manifest strictly: an unknown key is as wrong as a missing one.
  ///
  /// - Throws: `GoldenError` with the first fault.
  public init(contentsOf url: URL) throws {
    let name = url.lastPathComponent
    guard let data = try? Data(contentsOf: url) else { throw GoldenError(name, "cannot be read") }
    try self.init(data, name: name)
  }

  init(_ data: Data, name: String) throws {
    guard let root = try? JSONSerialization.jsonObject(with: data) as? [String: Any] else {
      throw GoldenError(name, "is not a JSON object")
    }
    // The version first: a later format may well have other keys.
    guard root["format_version"] as? Int == Self.supportedVersion else {
      throw GoldenError(name, "format_version is not \(Self.supportedVersion); this build reads no other")
    }
    try requireKeys(CodingKeys.self, root, "the manifest", name)
    try requireKeys(ToleranceRule.CodingKeys.self, root["tolerance_rule"], "tolerance_rule", name)
    for (id, generator) in root["generators"] as? [String: Any] ?? [:] {
      try requireKeys(Generator.CodingKeys.self, generator, "generator \(id)", name)
    }
    for equation in root["equations"] as? [Any] ?? [] {
      try requireKeys(Equation.CodingKeys.self, equation, "an equation", name)
    }
    for entry in root["cases"] as? [[String: Any]] ?? [] {
      let id = "case \(entry["id"] as? String ?? "without id")"
      try requireKeys(CaseEntry.CodingKeys.self, entry, id, name)
      for run in entry["provenance"] as? [Any] ?? [] {
        try requireKeys(Provenance.CodingKeys.self, run, "provenance of \(id)", name)
      }
      for (tensorName, tensor) in entry["tensors"] as? [String: Any] ?? [:] {
        let what = "\(tensorName) of \(id)"
        try requireKeys(TensorEntry.CodingKeys.self, tensor, "tensor \(what)", name)
        guard let tolerance = (tensor as? [String: Any])?["tolerance"], !(tolerance is NSNull) else { continue }
        try requireKeys(Tolerance.CodingKeys.self, tolerance, "tolerance of \(what)", name)
      }
    }
    do {
      self = try JSONDecoder().decode(GoldenManifest.self, from: data)
    } catch let error as DecodingError {
      throw GoldenError(name, Self.sentence(for: error))
    }
  }

  /// The `format_version` of the cases that this build reads.
  public static let supportedVersion = 1

  static func sentence(for error: DecodingError) -> String {
    let context: DecodingError.Context
    switch error {
    case .dataCorrupted(let found): context = found
    case .keyNotFound(_, let found), .typeMismatch(_, let found), .valueNotFound(_, let found): context = found
    @unknown default: return "cannot be decoded"
    }
    let path = context.codingPath.map(\.stringValue).joined(separator: "/")
    return "\(path.isEmpty ? "the manifest" : path): \(context.debugDescription)"
  }
}

/// Requires an object of JSON to have these keys and no other.
func requireKeys<Key: CodingKey & CaseIterable>(
  _: Key.Type, _ object: Any?, _ what: String, _ file: String
) throws(GoldenError) {
  guard let object = object as? [String: Any] else { throw GoldenError(file, "\(what) is not an object") }
  let known = Set(Key.allCases.map(\.stringValue))
  if let unknown = object.keys.sorted().first(where: { !known.contains($0) }) {
    throw GoldenError(file, "\(what) has the unknown key '\(unknown)'")
  }
  if let missing = known.sorted().first(where: { object[$0] == nil }) {
    throw GoldenError(file, "\(what) lacks the key '\(missing)'")
  }
}
