import KnownBugs

extension KnownBug {
  /// Visible bugs that component cases show and whole models do not, with the reason.
  static let unplantable: [String: String] = [
    "hash-layer-gate-bias": "a hash layer of a checkpoint has no bias that could be added",
    "indexer-tie-order": "exact ties may be decided either way: a replay reports them as ties",
    "fp8-not-saturating": "a scale is never smaller than the largest value of its block needs",
    "e8m0-255-finite": "no weight of a model has a scale that is NaN",
    "e8m0-0-flushed": "no weight of a model has a scale of 2⁻¹²⁷",
  ]
}
