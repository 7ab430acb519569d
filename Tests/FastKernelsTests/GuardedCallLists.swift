import CKernels
import Tensors

// Each kernel on a few shapes that fill neither its vectors nor its tiles. Rows lie further apart than they are wide where
// the kernel takes a stride.

extension GuardedCall {
  static func linear() -> [GuardedCall] {
    var numbers = RandomNumbers(seed: 16)
    return [(1, 1, 1), (3, 17, 5), (5, 9, 43), (33, 35, 15), (197, 3, 7), (18, 1027, 4), (31, 385, 387)].flatMap {
      tokens, columns, outputs in
      let (t, k, o) = (Int64(tokens), Int64(columns), Int64(outputs))
      let inputs = [numbers.tensor([tokens, columns + 2]), numbers.tensor([outputs, columns + 1])]
      // The last row ends where memory does.
      let cut = [(tokens, columns, 2), (outputs, columns, 1)].enumerated().map { number, shape in
        let count = shape.0 * (shape.1 + shape.2) - shape.2
        return Tensor(filling: [count], Array(inputs[number].elements[..<count]))
      }
      let count = tokens * (outputs + 3) - 3
      func isWritten(_ index: Int) -> Bool { index % (outputs + 3) < outputs }
      return [
        GuardedCall(
          name: "multiply \(tokens), \(columns), \(outputs)", inputs: cut, outputs: count, isWritten: isWritten,
          scratch: { $0.linear.multiply_scratch(t) },
          body: { kernels, inputs, y, scratch in
            kernels.linear.multiply(inputs[0], k + 2, t, k, inputs[1], k + 1, o, y, o + 3, scratch)
          }),
        GuardedCall(
          name: "flat \(tokens), \(columns), \(outputs)", inputs: cut, outputs: count, isWritten: isWritten,
          body: { kernels, inputs, y, _ in
            kernels.linear.flat(inputs[0], k + 2, t, k, inputs[1], k + 1, o, y, o + 3)
          }),
      ]
    }
  }

  static func streams() -> [GuardedCall] {
    var numbers = RandomNumbers(seed: 17)
    return [
      (1, 1, 1, 1), (3, 4, 19, 24), (5, 3, 7, 5), (9, 4, 515, 7), (2, 5, 33, 13), (11, 2, 2055, 4), (10, 4, 8, 35),
    ].flatMap {
      tokens, streams, width, mixes in
      let (t, n, d, m) = (Int64(tokens), Int64(streams), Int64(width), Int64(mixes))
      let x = numbers.tensor([tokens, streams, width])
      let matrices = numbers.tensor([tokens, streams, streams])
      return [
        GuardedCall(
          name: "pack_mixes, mix_sums", inputs: [x, numbers.tensor([mixes, streams * width])],
          outputs: tokens * (mixes + 1), scratch: { $0.streams.mix_packed(m, n * d) },
          body: { kernels, inputs, y, packed in
            kernels.streams.pack_mixes(inputs[1], n * d, m, n * d, packed)
            kernels.streams.mix_sums(inputs[0], n * d, t, n * d, packed, m, y)
          }),
        GuardedCall(
          name: "mixes", inputs: [numbers.positives([3, tokens, mixes + 1])], outputs: tokens * mixes,
          body: { kernels, inputs, y, _ in kernels.streams.mixes(inputs[0], 3, t, m, n * d, 1e-6, y) }),
        GuardedCall(
          name: "weighted_sum", inputs: [x, numbers.tensor([tokens, streams])], outputs: tokens * width,
          body: { kernels, inputs, y, _ in kernels.streams.weighted_sum(inputs[0], inputs[1], t, n, d, y) }),
        GuardedCall(
          name: "post_mix",
          inputs: [x, numbers.tensor([tokens, width]), numbers.tensor([tokens, streams]), matrices],
          outputs: tokens * streams * width,
          body: { kernels, inputs, y, _ in
            kernels.streams.post_mix(inputs[0], inputs[1], inputs[2], inputs[3], t, n, d, y)
          }),
        GuardedCall(
          name: "sinkhorn", inputs: [matrices], outputs: tokens * streams * streams,
          scratch: { $0.streams.sinkhorn_scratch(n) },
          body: { $0.streams.sinkhorn($1[0], t, n, 3, 1e-6, 0, $2, $3) }),
      ]
    }
  }

  static func rows() -> [GuardedCall] {
    var numbers = RandomNumbers(seed: 18)
    var calls = [1, 3, 16, 19, 65, 131].flatMap { width in
      let d = Int64(width)
      let x = numbers.tensor([2, width])
      let weight = numbers.tensor([width])
      return [
        GuardedCall(
          name: "rms_norm", inputs: [x, weight], outputs: 2 * width,
          body: { kernels, inputs, y, _ in kernels.elementwise.rms_norm(inputs[0], 2, d, inputs[1], 1e-6, y) }),
        GuardedCall(
          name: "rms_norm without weight", inputs: [x], outputs: 2 * width,
          body: { kernels, inputs, y, _ in kernels.elementwise.rms_norm(inputs[0], 2, d, nil, 1e-6, y) }),
        GuardedCall(
          name: "affinity", inputs: [x], outputs: 2 * width,
          body: { kernels, inputs, y, _ in kernels.elementwise.affinity(inputs[0], 2 * d, y) }),
        GuardedCall(
          name: "gated_product", inputs: [weight, weight], outputs: width,
          body: { kernels, inputs, y, _ in kernels.elementwise.gated_product(inputs[0], inputs[1], d, 0.5, y) }),
        GuardedCall(
          name: "scale_and_shift", inputs: [x, weight], outputs: 2 * width,
          body: { kernels, inputs, y, _ in kernels.elementwise.scale_and_shift(inputs[0], d, 2, d, 3, inputs[1], y) }),
        GuardedCall(
          name: "gate", inputs: [x], outputs: 2 * width,
          body: { kernels, inputs, y, _ in kernels.elementwise.gate(inputs[0], 2 * d, 2, 1e-6, y) }),
        GuardedCall(
          name: "add", inputs: [weight], outputs: width, before: weight.elements,
          body: { kernels, inputs, y, _ in kernels.elementwise.add(inputs[0], d, y) }),
        GuardedCall(
          name: "pool", inputs: [numbers.tensor([5, width]), numbers.tensor([5, width]), weight], outputs: width,
          body: { kernels, inputs, y, _ in
            let values = rowPointers(inputs[0], 5, width)
            let scores = rowPointers(inputs[1], 5, width)
            let biases = Array(repeating: UnsafePointer<Float>?(inputs[2]), count: 5)
            kernels.elementwise.pool(values, scores, biases, 5, d, y)
          }),
      ]
    }
    for (width, pairs) in [(2, 1), (9, 2), (64, 32)] {
      let angles = numbers.tensor([pairs])
      calls.append(
        GuardedCall(
          name: "rotate", inputs: [numbers.tensor([3, width]), angles, angles], outputs: 3 * width,
          body: { kernels, inputs, y, _ in
            kernels.elementwise.rotate(inputs[0], 3, Int64(width), inputs[1], inputs[2], Int64(pairs), y)
          }))
    }
    for width in [1, 4, 64] {
      calls.append(
        GuardedCall(
          name: "hadamard", inputs: [numbers.tensor([3, width])], outputs: 3 * width,
          body: { kernels, inputs, y, _ in kernels.elementwise.hadamard(inputs[0], 3, Int64(width), y) }))
    }
    return calls
  }

  static func attention() -> [GuardedCall] {
    var numbers = RandomNumbers(seed: 19)
    return [(1, 1, 1), (5, 3, 2), (9, 33, 15), (33, 19, 131), (70, 8, 29), (4, 65, 7), (3, 4, 0)].flatMap {
      heads, width, entries in
      let (h, c, n) = (Int64(heads), Int64(width), Int64(entries))
      let query = numbers.tensor([heads, width])
      let rows = numbers.tensor([entries, width])
      var calls = [
        GuardedCall(
          name: "attend \(heads), \(width), \(entries)", inputs: [query, rows, numbers.tensor([heads])],
          outputs: heads * width, scratch: { $0.attention.scratch(h, c, n) },
          body: { kernels, inputs, y, scratch in
            let entries = rowPointers(inputs[1], entries, width)
            kernels.attention.attend(inputs[0], h, c, entries, n, inputs[2], 0.5, y, scratch)
          })
      ]
      if entries > 0 {
        // The next query is asked for, not used.
        calls.append(
          GuardedCall(
            name: "scores \(heads), \(width), \(entries)", inputs: [query, rows, numbers.tensor([heads]), query],
            outputs: entries, scratch: { $0.indexer.scratch(h, c) },
            body: { $0.indexer.scores($1[0], $1[2], h, c, $1[1], n, $1[3], $2, $3) }))
      }
      return calls
    } + indexQueries()
  }

  private static func indexQueries() -> [GuardedCall] {
    var numbers = RandomNumbers(seed: 21)
    return [(1, 5, 1, 2, 1), (17, 9, 3, 8, 3), (33, 387, 7, 64, 16), (15, 3, 2, 256, 5)].map {
      tokens, columns, heads, width, pairs in
      let (t, k, p, outputs) = (Int64(tokens), Int64(columns), Int64(pairs), heads * width)
      let angles = numbers.tensor([tokens, pairs])
      return GuardedCall(
        name: "queries \(tokens), \(columns), \(heads), \(width)",
        inputs: [numbers.tensor([tokens, columns]), numbers.tensor([outputs, columns]), angles, angles],
        outputs: tokens * (outputs + 3) - 3, isWritten: { $0 % (outputs + 3) < outputs },
        scratch: { $0.linear.multiply_scratch(t) },
        body: { kernels, inputs, y, scratch in
          kernels.indexer.queries(
            inputs[0], t, k, inputs[1], Int64(heads), Int64(width), inputs[2], inputs[3], p, y, Int64(outputs + 3),
            scratch)
        })
    }
  }
}

private func rowPointers(_ start: UnsafeMutablePointer<Float>, _ rows: Int, _ width: Int) -> [UnsafePointer<Float>?] {
  (0..<rows).map { UnsafePointer(start + $0 * width) }
}
