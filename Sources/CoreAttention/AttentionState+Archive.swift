import Tensors
import TokenCompression

extension AttentionState {
  /// Everything that it remembers, to be written to a file.
  ///
  /// - Throws: `InputError` never in practice: the rows are there.
  public func archive() throws(InputError) -> TensorArchive<Scalar> {
    var archive = TensorArchive<Scalar>(counts: [
      "head_width": layout.headWidth, "window": layout.window, "ratio": layout.ratio,
      "index_width": layout.indexWidth ?? 0, "roll_back_depth": layout.rollBackDepth,
      "earliest_roll_back": earliestRollBack,
    ])
    try archive.add(window, as: "window")
    for (name, state) in [("compressor", compressor), ("index", indexCompressor)] {
      guard let state else { continue }
      try archive.add(state.entries, as: "\(name)_entries")
      try archive.add(state.keyValues, as: "\(name)_key_values")
      try archive.add(state.scores, as: "\(name)_scores")
    }
    return archive
  }

  /// The state that an archive was made of.
  ///
  /// - Throws: `InputError` if something is missing or does not fit.
  public init(_ archive: TensorArchive<Scalar>) throws(InputError) {
    let indexWidth = try archive.count("index_width")
    let layout = AttentionLayout(
      headWidth: try archive.count("head_width"), window: try archive.count("window"),
      ratio: try archive.count("ratio"), indexWidth: indexWidth > 0 ? indexWidth : nil,
      rollBackDepth: try archive.count("roll_back_depth"))
    guard layout.headWidth >= 1, layout.window >= 1, layout.ratio >= 0, indexWidth >= 0, layout.rollBackDepth >= 0
    else {
      throw InputError("archive", "\(layout) is not the layout of a state")
    }
    func compressor(_ name: String, _ width: Int?) throws(InputError) -> CompressorState<Scalar>? {
      guard let width, layout.ratio > 0 else { return nil }
      let projected = layout.ratio == 4 ? 2 * width : width
      return try CompressorState(
        ratio: layout.ratio, overlaps: layout.ratio == 4,
        entries: archive.rows("\(name)_entries", width: width),
        keyValues: archive.rows("\(name)_key_values", width: projected),
        scores: archive.rows("\(name)_scores", width: projected))
    }
    try self.init(
      layout, window: archive.rows("window", width: layout.headWidth),
      compressor: compressor("compressor", layout.headWidth), indexCompressor: compressor("index", layout.indexWidth),
      earliestRollBack: archive.count("earliest_roll_back"))
  }
}
