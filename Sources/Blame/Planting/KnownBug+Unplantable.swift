import KnownBugs

extension KnownBug {
  /// Visible bugs that component cases show and whole models do not, with the reason.
  static let unplantable: [String: String] = [
    "hash-layer-gate-bias": "a hash layer of a checkpoint has no bias that could be added",
    "indexer-tie-order": "exact ties may be decided either way: a replay reports them as ties",
    "fp8-not-saturating": "a scale is never smaller than the largest value of its block needs",
    "ue8m0-scale-from-logarithm": "it shows where a largest value is one ulp above 448 · 2ᵏ, which no generated one is",
    "kv-fp8-blocks-of-32":
      "the scale of a block matters to values 2⁻¹⁵ of its largest one, which no generated entry has",
    "e8m0-255-finite": "no weight of a model has a scale that is NaN",
    "e8m0-0-flushed": "no weight of a model has a scale of 2⁻¹²⁷",
  ]
}
