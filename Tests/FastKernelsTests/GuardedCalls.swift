import CKernels
import Tensors

@testable import FastKernels

/// A call of a kernel in C, on memory that is watched.
struct GuardedCall {
  typealias Body = (v4_kernels, [UnsafeMutablePointer<Float>], UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>)
    -> Void
  let name: String
  let inputs: [Tensor<Float>]
  /// Floats of the output, and which of them the kernel writes.
  let outputs: Int
  var isWritten: (Int) -> Bool = { _ in true }
  /// What the output holds before, where that counts.
  var before: [Float]?
  var scratch: (v4_kernels) -> Int64 = { _ in 0 }
  /// Inputs, output, scratch.
  let body: Body

  /// What is wrong with it. Bits may not depend on where anything lies.
  func failures(_ kernels: v4_kernels) -> [String] {
    var failures: [String] = []
    var expected: [UInt32]?
    for misplaced in 0..<4 {
      let inputs = inputs.enumerated().map { number, input in
        GuardedMemory(count: input.count, misplaced: (misplaced * (number + 1)) % 16, content: input.elements)
      }
      let output = GuardedMemory(count: outputs, misplaced: misplaced, content: before)
      // Scratch memory is aligned, and holds whatever it held before.
      let scratch = GuardedMemory(count: Int(scratch(kernels)), misplaced: 0)
      body(kernels, inputs.map(\.start), output.start, scratch.start)
      let bits = output.bits
      func require(_ condition: Bool, _ problem: String) {
        if !condition { failures.append("\(name), \(misplaced) floats beside a cache line: \(problem)") }
      }
      require(output.fencesStand, "wrote before or after its output")
      require(scratch.fencesStand, "wrote before or after its scratch memory")
      require(inputs.allSatisfy(\.fencesStand), "wrote before or after an input")
      require(
        zip(inputs, self.inputs).allSatisfy { $0.bits == $1.elements.map(\.bitPattern) }, "wrote into an input")
      for (index, word) in bits.enumerated() {
        if isWritten(index) {
          let value = Float(bitPattern: word)
          require(!value.isNaN, "element \(index) was not written, or made of what is no input")
        } else {
          require(word == GuardedMemory.poison, "element \(index) was written")
        }
      }
      require(expected == nil || expected == bits, "its bits depend on where memory lies")
      expected = bits
    }
    return failures
  }
}

extension PropertyChecks {
  /// Kernels write all of their output and nothing else, and read their inputs alone, wherever those lie.
  static func guarded(_ kernels: KernelSet) throws -> [String] {
    let table = kernels.instructionSet.kernels.pointee
    return guardedCalls().flatMap { Array($0.failures(table).prefix(2)) } + guardedSelections(table)
  }

  private static func guardedCalls() -> [GuardedCall] {
    GuardedCall.linear() + GuardedCall.streams() + GuardedCall.rows() + GuardedCall.attention()
  }

  /// The selection writes k numbers and a margin.
  private static func guardedSelections(_ kernels: v4_kernels) -> [String] {
    var numbers = RandomNumbers(seed: 20)
    var failures: [String] = []
    for (count, k) in [(1, 1), (2, 1), (17, 5), (65, 64), (65, 65), (300, 31)] {
      let scores = GuardedMemory(count: count, misplaced: 3, content: numbers.tensor([count]).elements)
      let margin = GuardedMemory(count: 1, misplaced: 1)
      let bytes = Int(kernels.indexer.top_k_scratch(Int64(count), Int64(k)))
      let scratch = GuardedMemory(count: (bytes + 3) / 4, misplaced: 0)
      var indices = Array(repeating: Int64(-7), count: k + 8)
      let nan = indices.withUnsafeMutableBufferPointer {
        kernels.indexer.top_k(
          scores.start, Int64(count), Int64(k), $0.baseAddress! + 4, margin.start, scratch.start)
      }
      let written = indices[4..<4 + k].allSatisfy { (0..<Int64(count)).contains($0) } && !margin.start.pointee.isNaN
      let others = indices[..<4].allSatisfy { $0 == -7 } && indices[(4 + k)...].allSatisfy { $0 == -7 }
      if nan != -1 || !written || !others || !scratch.fencesStand || !margin.fencesStand || !scores.fencesStand {
        failures.append("top_k, \(k) of \(count): wrote too little or too much")
      }
    }
    return failures
  }
}
