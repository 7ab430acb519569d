import Foundation

extension PrecisionBudgets {
  static let supportedVersion = 1

  /// Reads `budgets.json`.
  ///
  /// - Throws: `GoldenError` if it is not of this version, has unknown or missing keys, another rule, or a budget that does
  ///   not follow from its spread.
  public init(contentsOf url: URL, manifest: GoldenManifest) throws(GoldenError) {
    let name = url.lastPathComponent
    guard let data = try? Data(contentsOf: url),
      let root = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
    else { throw GoldenError(name, "is not a JSON object") }
    guard root["format_version"] as? Int == Self.supportedVersion else {
      throw GoldenError(name, "format_version is not \(Self.supportedVersion); this build reads no other")
    }
    try requireKeys(Key.self, root, "the file", name)
    try requireKeys(BudgetRule.CodingKeys.self, root["rule"], "rule", name)
    guard let ruleData = try? JSONSerialization.data(withJSONObject: root["rule"] ?? [:]),
      let rule = try? JSONDecoder().decode(BudgetRule.self, from: ruleData), rule == .published
    else { throw GoldenError(name, "its rule is not the published one") }
    guard let listed = root["cases"] as? [String: Any] else { throw GoldenError(name, "cases is not an object") }
    let entries = Dictionary(uniqueKeysWithValues: manifest.cases.map { ($0.id, $0) })
    var cases: [String: CaseBudgets] = [:]
    for (id, object) in listed.sorted(by: { $0.key < $1.key }) {
      guard let entry = entries[id] else { throw GoldenError(name, "has budgets for \(id), which is no case") }
      let budgets = try CaseBudgets(object, entry, name, rule)
      guard budgets.sha256 == entry.sha256 else {
        throw GoldenError(name, "is stale: \(id) is no longer the file that was measured; make golden-budgets")
      }
      cases[id] = budgets
    }
    self.init(rule: rule, cases: cases)
  }

  enum Key: String, CodingKey, CaseIterable {
    case formatVersion = "format_version"
    case rule, cases
  }

  /// The text of the file: one line a tensor.
  public var text: String {
    let blocks = cases.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value.text)" }
    let rule = """
      {"random_runs": \(rule.randomRuns), "nearest_runs": \(rule.nearestRuns), \
      "spread_factor": \(number(rule.spreadFactor)), "floor_roundoffs": \(number(rule.floorRoundoffs)), \
      "margin_factor": \(number(rule.marginFactor)), "float32_noise_bits": \(rule.float32NoiseBits)}
      """
    return """
      {"format_version": \(Self.supportedVersion),
      "rule": \(rule),
      "cases": {
      \(blocks.joined(separator: ",\n"))
      }}

      """
  }
}

extension CaseBudgets {
  enum Key: String, CodingKey, CaseIterable { case sha256, tensors, selections }

  fileprivate init(
    _ object: Any, _ entry: GoldenManifest.CaseEntry, _ file: String, _ rule: BudgetRule
  ) throws(GoldenError) {
    try requireKeys(Key.self, object, "case \(entry.id)", file)
    guard let object = object as? [String: Any], let sha256 = object["sha256"] as? String,
      let tensors = object["tensors"] as? [String: Any], let selections = object["selections"] as? [String: Any]
    else { throw GoldenError(file, "case \(entry.id) has a member of another type") }
    self.sha256 = sha256
    var read: [[String: TensorBudgets]] = []
    for (group, isSelection) in [(tensors, false), (selections, true)] {
      var budgets: [String: TensorBudgets] = [:]
      for (name, tensor) in group {
        let float = entry.tensors[name]?.tolerance?.float
        guard let listed = entry.tensors[name], isSelection ? listed.judge == .exact : float != nil else {
          throw GoldenError(file, "has a budget for \(name) of \(entry.id), which needs none")
        }
        budgets[name] = try TensorBudgets(
          tensor, "\(name) of \(entry.id)", file, float: isSelection ? nil : float, rule)
      }
      read.append(budgets)
    }
    (self.tensors, self.selections) = (read[0], read[1])
  }

  fileprivate var text: String {
    func lines(_ group: [String: TensorBudgets]) -> String {
      group.sorted { $0.key < $1.key }.map { "\n  \"\($0.key)\": \($0.value.text)" }.joined(separator: ",")
    }
    return """
      {"sha256": "\(sha256)", "tensors": {\(lines(tensors))},
       "selections": {\(lines(selections))}}
      """
  }
}

extension TensorBudgets {
  enum Key: String, CodingKey, CaseIterable { case scale, spread, budget }

  fileprivate init(
    _ object: Any, _ what: String, _ file: String, float: Double?, _ rule: BudgetRule
  ) throws(GoldenError) {
    try requireKeys(Key.self, object, what, file)
    guard let object = object as? [String: Any], let scale = object["scale"] as? Double, scale.isFinite, scale >= 0
    else { throw GoldenError(file, "the scale of \(what) is no number") }
    let spreads = try Self.byClass(object["spread"], "the spread of \(what)", file)
    let budgets = try Self.byClass(object["budget"], "the budget of \(what)", file)
    self.init(scale: scale, spreads: spreads, float: float, rule: rule)
    guard !budgets.isEmpty, budgets == self.budgets else {
      throw GoldenError(file, "the budget of \(what) does not follow from its spread by the rule")
    }
  }

  private static func byClass(
    _ object: Any?, _ what: String, _ file: String
  ) throws(GoldenError) -> [PrecisionClass: Double] {
    guard let object = object as? [String: Double] else { throw GoldenError(file, "\(what) is no object of numbers") }
    var values: [PrecisionClass: Double] = [:]
    for (name, value) in object {
      guard let precision = PrecisionClass(rawValue: name), value.isFinite, value >= 0 else {
        throw GoldenError(file, "\(what) has \(value) for \(name)")
      }
      values[precision] = value
    }
    return values
  }

  fileprivate var text: String {
    func object(_ values: [PrecisionClass: Double]) -> String {
      let members = PrecisionClass.allCases.compactMap { precision in
        values[precision].map { "\"\(precision.rawValue)\": \(number($0))" }
      }
      return "{\(members.joined(separator: ", "))}"
    }
    return "{\"scale\": \(number(scale)), \"spread\": \(object(spreads)), \"budget\": \(object(budgets))}"
  }
}

private func number(_ value: Double) -> String { String(format: "%.3g", value) }
