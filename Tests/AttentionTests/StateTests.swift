import CoreAttention
import Foundation
import GoldenTensors
import Tensors
import TestSupport
import Testing

@Suite struct StateTests {
  @Test(arguments: [0, 1, 5, 16]) func rollsBackAsFarAsItsDepthAndNoFurther(depth: Int) throws {
    for kind in RandomLayer<Float>.Kind.allCases {
      var generator = SeededGenerator(seed: UInt64(depth))
      let layer = try RandomLayer<Float>(kind, &generator, depth: depth)
      var state = layer.empty()
      let hidden: Tensor<Float> = try generator.normals([40, layer.width])
      _ = try layer.feed(hidden, 0..<40, state: &state, &generator)
      #expect(state.earliestRollBack == 40 - depth)
      let before = state
      #expect(
        throws: InputError(
          "rollback",
          "position \(39 - depth) is too far back: this state can return to \(40 - depth) at the earliest")
      ) { try state.rollBack(to: 39 - depth) }
      #expect(throws: InputError("rollback", "position 41 lies beyond the 40 tokens seen")) {
        try state.rollBack(to: 41)
      }
      #expect(state == before)
      try state.rollBack(to: 40 - depth)
      #expect(state.position == 40 - depth)
      // Going back does not make what is gone come back.
      #expect(throws: InputError.self) { try state.rollBack(to: 39 - depth) }
    }
  }

  @Test func aSavedStateGoesOnAsIfItHadNeverBeenSaved() throws {
    try withTemporaryFolder { folder in
      for kind in RandomLayer<Double>.Kind.allCases {
        var generator = SeededGenerator(seed: 31)
        let layer = try RandomLayer<Double>(kind, &generator)
        let hidden: Tensor<Double> = try generator.normals([30, layer.width])
        var state = layer.empty()
        _ = try layer.feed(hidden, 0..<21, state: &state, &generator)

        let path = "\(folder)/state.h5"
        try state.archive().write(to: path)
        var restored = try AttentionState(TensorArchive<Double>(contentsOf: path))
        #expect(restored == state)
        let expected = try layer.layer(hidden.rows(21..<30), state: &state).output
        let output = try layer.layer(hidden.rows(21..<30), state: &restored).output
        #expect(output == expected)
        #expect(throws: GoldenError.self) { try TensorArchive<Float>(contentsOf: path) }
      }
    }
  }

  @Test func anArchiveThatDoesNotFitIsRefused() throws {
    var generator = SeededGenerator(seed: 32)
    let layer = try RandomLayer<Float>(.sparse, &generator)
    var state = layer.empty()
    _ = try layer.feed(generator.normals([13, layer.width]), 0..<13, state: &state, &generator)
    let archive = try state.archive()
    for name in archive.tensors.keys.sorted() {
      var damaged = archive
      damaged.tensors[name] = nil
      #expect(throws: InputError("archive", "there is no tensor \(name)")) { try AttentionState(damaged) }
      damaged.tensors[name] = Tensor(repeating: 0, shape: [1, 99])
      #expect(throws: InputError.self) { try AttentionState(damaged) }
    }
    for name in archive.counts.keys.sorted() {
      var damaged = archive
      damaged.counts[name] = -5
      #expect(throws: InputError.self, "\(name)") { try AttentionState(damaged) }
    }
  }

  @Test func aStateOfAnotherLayerIsRefused() throws {
    var generator = SeededGenerator(seed: 33)
    let layer = try RandomLayer<Float>(.sliding, &generator, window: 3)
    var state = AttentionState<Float>(AttentionLayout(headWidth: 2, window: 77, ratio: 0, indexWidth: nil))
    let error = #expect(throws: InputError.self) {
      try layer.layer(Tensor(repeating: 1, shape: [1, layer.width]), state: &state)
    }
    #expect(error?.problem.hasPrefix("the state has the layout (head width 2, window 77") == true)
  }

  @Test func noTokensAndTooManyTokensAreRefusedAndChangeNothing() throws {
    var generator = SeededGenerator(seed: 34)
    for kind in RandomLayer<Float>.Kind.allCases {
      let layer = try RandomLayer<Float>(kind, &generator)
      var state = layer.empty()
      _ = try layer.feed(generator.normals([5, layer.width]), 0..<5, state: &state, &generator)
      let before = state
      #expect(throws: InputError("attention", "needs at least one token")) {
        try layer.layer(Tensor(repeating: 0, shape: [0, layer.width]), state: &state)
      }
      #expect(throws: InputError("attention", "position 4096 is beyond the maximum of 4096 positions")) {
        try layer.layer(Tensor(repeating: 0, shape: [4092, layer.width]), state: &state)
      }
      #expect(throws: InputError.self) {
        try layer.layer(Tensor(repeating: 0, shape: [1, layer.width + 1]), state: &state)
      }
      #expect(state == before)
    }
  }

  /// A NaN score has no place in an order. The call is refused, and the state stays what it was.
  @Test func aNaNTokenLeavesTheStateAsItWas() throws {
    var generator = SeededGenerator(seed: 35)
    let layer = try RandomLayer<Float>(.sparse, &generator)
    var state = layer.empty()
    let hidden: Tensor<Float> = try generator.normals([9, layer.width])
    _ = try layer.feed(hidden, 0..<8, state: &state, &generator)
    var twin = state
    #expect(throws: InputError.self) {
      try layer.layer(Tensor(repeating: .nan, shape: [3, layer.width]), state: &state)
    }
    #expect(state == twin)
    let (a, b) = (try layer.layer(hidden.rows(8..<9), state: &state), try layer.layer(hidden.rows(8..<9), state: &twin))
    #expect(a.output == b.output)
  }

  /// From 64k tokens on, a token costs its share of the compressed entries and nothing else.
  @Test func memoryGrowsByTheCompressedEntriesAlone() throws {
    print("\nBytes of state per token between 65,536 and 131,072 tokens:")
    for (ratio, indexWidth) in [(4, 16), (128, nil), (0, nil)] as [(Int, Int?)] {
      func bytes(_ position: Int) throws -> Int {
        func rows(_ range: Range<Int>, _ width: Int) throws -> RowStore<Float> {
          var store = RowStore<Float>(width: width, start: range.lowerBound)
          // In pieces, as decoding does it.
          for first in stride(from: range.lowerBound, to: range.upperBound, by: 500) {
            let count = min(500, range.upperBound - first)
            try store.append(Tensor(repeating: 0, shape: [count, width]))
          }
          return store
        }
        var archive = TensorArchive<Float>(counts: [
          "head_width": 32, "window": 128, "ratio": ratio, "index_width": indexWidth ?? 0, "roll_back_depth": 16,
          "earliest_roll_back": position,
        ])
        try archive.add(rows(position - 127..<position, 32), as: "window")
        for (name, width) in [("compressor", 32), ("index", indexWidth ?? 0)] where ratio > 0 && width > 0 {
          let (first, projected) = (position / ratio * ratio - (ratio == 4 ? 4 : 0), ratio == 4 ? 2 * width : width)
          try archive.add(rows(0..<position / ratio, width), as: "\(name)_entries")
          try archive.add(rows(first..<position, projected), as: "\(name)_key_values")
          try archive.add(rows(first..<position, projected), as: "\(name)_scores")
        }
        return try AttentionState(archive).byteCount
      }
      let slope = Double(try bytes(131_072) - bytes(65_536)) / 65_536
      let expected = ratio == 0 ? 0 : Double(32 + (indexWidth ?? 0)) / Double(ratio) * 4
      print("  ratio \(ratio): \(slope), entries × width \(expected)")
      #expect(abs(slope - expected) <= 0.05 * expected)
    }
  }
}
