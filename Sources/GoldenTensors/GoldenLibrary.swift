import Foundation

/// A folder of golden cases with its manifest.
///
/// ```swift
/// let golden = try GoldenLibrary.bundled()
/// for entry in golden.manifest.cases where entry.operation == "sinkhorn" {
///   let goldenCase = try golden.load(entry)
///   …
/// }
/// ```
public struct GoldenLibrary: Sendable {
  public let directory: URL
  public let manifest: GoldenManifest

  /// - Parameter directory: a folder that holds `manifest.json` and `vectors/`
  /// - Throws: `GoldenError` if there is no manifest, or one that does not hold together.
  public init(directory: String) throws {
    let url = URL(fileURLWithPath: directory, isDirectory: true)
    let manifestURL = url.appendingPathComponent("manifest.json")
    guard FileManager.default.fileExists(atPath: manifestURL.path) else {
      throw GoldenError(directory, "there is no manifest.json in this folder")
    }
    self.directory = url
    self.manifest = try GoldenManifest(contentsOf: manifestURL)
    try manifest.requireConsistency()
  }

  /// The cases that lie in the source tree of this package, wherever the package manager has put it.
  ///
  /// - Throws: `GoldenError` if the sources are not where they were at build time.
  public static func bundled() throws -> GoldenLibrary { try GoldenLibrary(directory: bundledDirectory) }

  /// `golden/` in the source tree that this code was built from.
  public static var bundledDirectory: String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("golden").path
  }

  /// The entry with this id; nil if there is none.
  public func entry(_ id: String) -> GoldenManifest.CaseEntry? { manifest.cases.first { $0.id == id } }

  /// The budgets of the coarser precision classes, read anew; nil if there is no `budgets.json`.
  ///
  /// - Throws: `GoldenError` if the file cannot be trusted, or was measured on other cases than these.
  public func budgets() throws(GoldenError) -> PrecisionBudgets? {
    let url = directory.appendingPathComponent("budgets.json")
    guard FileManager.default.fileExists(atPath: url.path) else { return nil }
    return try PrecisionBudgets(contentsOf: url, manifest: manifest)
  }

  /// Loads a case. Nothing of it is believed before its checksum is right.
  ///
  /// - Throws: `GoldenError` if the file is missing, is not the one the manifest knows, or contradicts it: names, shapes,
  ///   types, who confirmed it, or a tolerance that does not follow from what was measured.
  public func load(_ entry: GoldenManifest.CaseEntry) throws -> GoldenCase {
    let path = directory.appendingPathComponent(entry.file).path
    let reader = try HDF5Reader(path, name: entry.file, sha256: entry.sha256)
    guard reader.bytes == entry.bytes else {
      throw GoldenError(entry.file, "holds \(reader.bytes) bytes, the manifest says \(entry.bytes)")
    }
    try checkHeader(reader, entry)
    let expected = try tensors(of: "expected", reader)
    try check(expected, reader, entry)
    return GoldenCase(
      entry: entry, parameters: try reader.attributes(of: "parameters"), inputs: try tensors(of: "inputs", reader),
      weights: try tensors(of: "weights", reader), expected: expected)
  }

  /// Files that the manifest does not know, and files that it knows and that are not there.
  public func inventoryFaults() -> [GoldenError] {
    let vectors = directory.appendingPathComponent("vectors").resolvingSymlinksInPath()
    let listed = Set(manifest.cases.map(\.file))
    var found: Set<String> = []
    for case let url as URL in FileManager.default.enumerator(at: vectors, includingPropertiesForKeys: nil) ?? .init() {
      var isDirectory: ObjCBool = false
      guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isDirectory), !isDirectory.boolValue else {
        continue
      }
      let path = url.resolvingSymlinksInPath().path
      if path.hasPrefix(vectors.path + "/") { found.insert("vectors" + path.dropFirst(vectors.path.count)) }
    }
    found = found.filter { !$0.hasSuffix("/.DS_Store") }
    return found.subtracting(listed).sorted().map { GoldenError($0, "is not listed in the manifest") }
      + listed.subtracting(found).sorted().map { GoldenError($0, "is listed in the manifest, but is not there") }
  }

  private func checkHeader(_ reader: HDF5Reader, _ entry: GoldenManifest.CaseEntry) throws {
    let attributes = try reader.attributes(of: "/")
    var wanted: [String: StoredAttribute] = [
      "format_version": .integer(Int64(GoldenManifest.supportedVersion)),
      "case": .text(entry.id), "preset": .text(entry.preset), "component": .text(entry.component),
      "operation": .text(entry.operation), "description": .text(entry.description), "seed": .integer(Int64(entry.seed)),
    ]
    if let expectedError = entry.expectedError { wanted["expected_error"] = .text(expectedError) }
    for name in Set(wanted.keys).union(attributes.keys).sorted() where wanted[name] != attributes[name] {
      throw GoldenError(entry.file, "its attribute \(name) is not what the manifest says")
    }
  }

  private func tensors(of group: String, _ reader: HDF5Reader) throws -> [String: StoredTensor] {
    var result: [String: StoredTensor] = [:]
    for name in try reader.members(of: group) ?? [] { result[name] = try reader.tensor(at: "\(group)/\(name)") }
    return result
  }

  private func check(
    _ expected: [String: StoredTensor], _ reader: HDF5Reader, _ entry: GoldenManifest.CaseEntry
  ) throws {
    guard Set(expected.keys) == Set(entry.tensors.keys) else {
      throw GoldenError(
        entry.file, "holds the expected tensors \(expected.keys.sorted()), the manifest \(entry.tensors.keys.sorted())")
    }
    for (name, tensor) in expected.sorted(by: { $0.key < $1.key }) {
      let what = "expected/\(name)"
      guard let listed = entry.tensors[name], listed.shape == tensor.shape, listed.dtype == tensor.elementType else {
        throw GoldenError(
          entry.file, "\(what) has the shape \(tensor.shape) of \(tensor.elementType), not the manifest's")
      }
      let evidence = try Evidence(reader.attributes(of: what), what, entry.file)
      try evidence.check(listed, what, entry.file, rule: manifest.toleranceRule)
    }
  }
}

extension GoldenManifest {
  /// Checks what a schema cannot say: counts, unique ids, ids that match files, known equations, the published rule.
  ///
  /// - Throws: `GoldenError` with the first fault.
  func requireConsistency() throws {
    func fail(_ problem: String) throws -> Never { throw GoldenError("manifest.json", problem) }
    guard !cases.isEmpty else { try fail("it lists no cases") }
    guard caseCount == cases.count else { try fail("case_count is \(caseCount), but it lists \(cases.count) cases") }
    guard toleranceRule == .published else { try fail("its tolerance_rule is not the one that FORMAT.md publishes") }
    guard Set(cases.map(\.id)).count == cases.count else { try fail("an id stands twice") }
    guard Set(equations.map(\.id)).count == equations.count else { try fail("an equation id stands twice") }

    let known = Set(equations.map(\.id))
    for entry in cases {
      let parts = entry.id.split(separator: "/", omittingEmptySubsequences: false)
      let plain = parts.allSatisfy { part in
        !part.isEmpty && part.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 }
      }
      guard parts.count == 3, plain else { try fail("'\(entry.id)' is not an id") }
      guard entry.file == "vectors/\(entry.id).h5", entry.preset == parts[0], entry.component == parts[1] else {
        try fail("file, preset and component of \(entry.id) do not follow from its id")
      }
      if let unknown = entry.equations.first(where: { !known.contains($0) }) {
        try fail("\(entry.id) names the unknown equation \(unknown)")
      }
      guard entry.tensors.isEmpty == (entry.expectedError != nil) else {
        try fail("\(entry.id) must have either expected tensors or an expected error")
      }
      for run in entry.provenance where generators[run.generator] == nil {
        try fail("\(entry.id) names the unknown generator \(run.generator)")
      }
    }
    if let orphan = equations.first(where: { equation in !cases.contains { $0.equations.contains(equation.id) } }) {
      try fail("no case covers the equation \(orphan.id)")
    }
  }
}
