import CKernels
import CoreAttention
import Tensors

// Axes: T tokens, h heads, c head width, n entries that a query sees.

extension KernelSet {
  /// The twin of `AttentionSteps.attended`, eqs. (19), (26) and (27): entries are read where the state keeps them.
  ///
  /// - Parameters:
  ///   - queries: `[T, h, c]`
  ///   - visible: what each of them sees
  ///   - sinks: `[h]`
  ///   - scale: what scores are multiplied by
  /// - Returns: `[T, h, c]`
  /// - Throws: `InputError` if the shapes do not fit or an entry is not there.
  public func attended(
    _ queries: Tensor<Float>, over visible: VisibleEntries<Float>, sinks: Tensor<Float>, scale: Float
  ) throws(InputError) -> Tensor<Float> {
    try queries.requireAxes(["T", "h", "c"], "queries", in: "attention")
    let (tokens, heads, width) = (queries.shape[0], queries.shape[1], queries.shape[2])
    try sinks.requireShape([heads], "sinks", in: "attention")
    try require(visible, tokens: tokens, width: width)
    // Few tokens are cut into groups of heads, too.
    let groupHeads = tokens >= 2 * workers.threads ? heads : 2 * instructionSet.lanes
    let groups = (heads + groupHeads - 1) / groupHeads
    let work = (visible.windows.map(\.count).max() ?? 0) * groupHeads * width
    return .written(queries.shape) { y in
      queries.read { queries in
        sinks.read { sinks in
          workers.forRanges(of: tokens * groups, work: work) { items in
            withRows(of: visible) { rows in
              var entries: [UnsafePointer<Float>?] = []
              let most = items.map { visible.count(of: $0 / groups) }.max() ?? 0
              let size = kernels.attention.scratch(Int64(min(groupHeads, heads)), Int64(width), Int64(most))
              withScratch(size) { scratch in
                for item in items {
                  let (token, first) = (item / groups, item % groups * groupHeads)
                  rows.collect(token, width: width, into: &entries)
                  let offset = (token * heads + first) * width
                  kernels.attention.attend(
                    queries + offset, Int64(min(groupHeads, heads - first)), Int64(width), &entries,
                    Int64(entries.count), sinks + first, scale, y + offset, scratch)
                }
              }
            }
          }
        }
      }
    }
  }

  /// Every entry that is named has to be there.
  private func require(_ visible: VisibleEntries<Float>, tokens: Int, width: Int) throws(InputError) {
    guard visible.windows.count == tokens, visible.window.width == width,
      visible.compressed == nil || (visible.chosen.count == tokens && visible.compressed?.width == width)
    else { throw InputError("attention", "the visible entries do not fit \(tokens) tokens of width \(width)") }
    for positions in visible.windows {
      guard positions.lowerBound >= visible.window.start, positions.upperBound <= visible.window.end else {
        throw InputError("rows", "rows \(positions) are not among \(visible.window.start)..<\(visible.window.end)")
      }
    }
    guard let compressed = visible.compressed else { return }
    for numbers in visible.chosen {
      for number in numbers where number < compressed.start || number >= compressed.end {
        throw InputError("rows", "row \(number) is not among \(compressed.start)..<\(compressed.end)")
      }
    }
  }
}

extension VisibleEntries {
  /// How many entries a token sees.
  fileprivate func count(of token: Int) -> Int {
    windows[token].count + (compressed == nil ? 0 : chosen[token].count)
  }
}

/// Where the entries of a call lie.
private struct EntryRows {
  let visible: VisibleEntries<Float>
  let window: UnsafePointer<Float>?
  let compressed: UnsafePointer<Float>?

  /// The rows that a token sees, its window first.
  func collect(_ token: Int, width: Int, into entries: inout [UnsafePointer<Float>?]) {
    entries.removeAll(keepingCapacity: true)
    if let window {
      for position in visible.windows[token] { entries.append(window + (position - visible.window.start) * width) }
    }
    guard let compressed, let start = visible.compressed?.start else { return }
    for number in visible.chosen[token] { entries.append(compressed + (number - start) * width) }
  }
}

private func withRows(of visible: VisibleEntries<Float>, _ body: (EntryRows) -> Void) {
  visible.window.withUnsafeElements { window in
    guard let compressed = visible.compressed else {
      return body(EntryRows(visible: visible, window: window.baseAddress, compressed: nil))
    }
    compressed.withUnsafeElements { compressed in
      body(EntryRows(visible: visible, window: window.baseAddress, compressed: compressed.baseAddress))
    }
  }
}
