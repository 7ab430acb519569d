import RotaryEmbedding
import Tensors

extension TwinCase {
  static func attentionCases() -> [TwinCase] {
    var numbers = RandomNumbers(seed: 8)
    var cases: [TwinCase] = []
    func append(_ tokens: Int, _ heads: Int, _ width: Int, window: Int, compressed: Int, scale: Float = 1) {
      let start = numbers.integer(in: 0..<9)
      let windows = (0..<tokens).map { _ in
        let first = numbers.integer(in: 0..<window + 1)
        return start + first..<start + first + numbers.integer(in: 0..<window - first + 1)
      }
      // One token chooses nothing.
      let chosen = (0..<tokens).map { token in
        compressed == 0 || token == 1
          ? [] : (0..<numbers.integer(in: 1..<compressed + 1)).map { _ in numbers.integer(in: 0..<compressed) }
      }
      let twin = AttentionTwin(start: start, windows: windows, chosen: chosen)
      let inputs = (
        numbers.tensor([tokens, heads, width], scale: 2 * scale), numbers.tensor([window, width], scale: scale),
        numbers.tensor([heads], scale: 2)
      )
      cases.append(
        compressed == 0
          ? TwinCase(twin, inputs.0, inputs.1, inputs.2)
          : TwinCase(twin, inputs.0, inputs.1, inputs.2, numbers.tensor([compressed, width], scale: scale)))
    }
    for heads in [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 40, 48, 64, 65, 70] {
      append(numbers.integer(in: 1..<4), heads, numbers.integer(in: 1..<40), window: 9, compressed: heads % 3 * 5)
    }
    for width in [1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 96, 127] {
      append(2, 5, width, window: 15, compressed: 7)
    }
    // Entries are weighted 128 at a time.
    for window in [1, 6, 13, 14, 15, 28, 29, 127, 128] { append(3, 4, 8, window: window, compressed: 0) }
    append(3, 20, 24, window: 128, compressed: 170)
    append(1, 4, 12, window: 20, compressed: 150, scale: 6)
    // All see all.
    let whole = AttentionTwin(
      start: 0, windows: Array(repeating: 0..<130, count: 3), chosen: [Array(0..<129), [], [5, 5, 0]])
    cases.append(
      TwinCase(
        whole, numbers.tensor([3, 9, 18]), numbers.tensor([130, 18]), numbers.tensor([9]), numbers.tensor([129, 18])))
    return cases
  }

  /// Heads that fill the 384 outputs of a block or lie across its end, one block of 384 columns and more.
  static func indexQueriesCases() throws -> [TwinCase] {
    let shapes = [
      (1, 9, 3, 8, 4), (16, 9, 3, 8, 4), (17, 9, 5, 8, 8), (40, 21, 4, 128, 64), (18, 385, 1, 64, 2),
      (31, 770, 25, 16, 6),
      (33, 5, 3, 256, 64), (17, 400, 2, 512, 2), (150, 3, 2, 16, 4), (45, 17, 33, 2, 2),
    ]
    return try shapes.map { try indexQueries(tokens: $0, columns: $1, heads: $2, width: $3, turned: $4) }
  }

  static func indexQueries(tokens: Int, columns: Int, heads: Int, width: Int, turned: Int) throws -> TwinCase {
    var numbers = RandomNumbers(seed: UInt64(tokens))
    let rotary = try RotaryConfiguration(ropeDims: turned, headWidth: width, theta: 10000, angles: .exact)
    let positions = (0..<tokens).map { _ in numbers.integer(in: 0..<5000) }
    return TwinCase(
      IndexQueriesTwin(heads: heads, positions: positions, configuration: rotary), numbers.tensor([tokens, columns]),
      numbers.tensor([heads * width, columns]))
  }

  static func indexScoresCases() -> [TwinCase] {
    var numbers = RandomNumbers(seed: 9)
    var cases: [TwinCase] = []
    func append(_ visible: [Int], _ heads: Int, _ width: Int, keys: Int) {
      cases.append(
        TwinCase(
          IndexScoresTwin(visible: visible), numbers.tensor([visible.count, heads, width]),
          numbers.tensor([keys, width]), numbers.tensor([visible.count, heads])))
    }
    for heads in [1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 32, 33, 48, 64] { append([11, 0, 7], heads, 9, keys: 11) }
    for width in [1, 2, 3, 4, 5, 15, 16, 17, 33, 64] { append([10], 6, width, keys: 13) }
    for keys in [1, 5, 6, 7, 13, 14, 15, 27, 28, 29, 300] { append([keys, max(keys - 1, 0)], 3, 8, keys: keys) }
    append([1100], 4, 6, keys: 1111)
    return cases
  }

  static func poolingCases() -> [TwinCase] {
    var numbers = RandomNumbers(seed: 10)
    var cases: [TwinCase] = []
    func append(_ ratio: Int, _ overlaps: Bool, width: Int, rows: Int, first: Int, _ blocks: Range<Int>) {
      let projected = overlaps ? 2 * width : width
      cases.append(
        TwinCase(
          PoolingTwin(ratio: ratio, overlaps: overlaps, firstBlock: first, blocks: blocks),
          numbers.tensor([rows, projected], scale: 2), numbers.tensor([rows, projected], scale: 4),
          numbers.tensor([ratio, projected], scale: 2)))
    }
    for width in [1, 3, 8, 15, 16, 17, 33, 64, 70] {
      append(4, true, width: width, rows: 18, first: 0, 0..<4)  // with the first block of all
      append(4, true, width: width, rows: 15, first: 2, 3..<5)
      append(8, false, width: width, rows: 20, first: 1, 1..<3)
    }
    append(128, false, width: 21, rows: 300, first: 3, 3..<5)
    append(4, true, width: 6, rows: 4, first: 0, 0..<1)
    return cases
  }
}
