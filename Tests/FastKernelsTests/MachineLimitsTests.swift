import Testing

@testable import FastKernels

/// What shares of a limit are taken of.
@Suite struct MachineLimitsTests {
  @Test(arguments: InstructionSet.available) func copyPastCachesCopiesEverything(on instructionSet: InstructionSet) {
    let count = 5 * instructionSet.lanes
    let memory = UnsafeMutableRawPointer.allocate(byteCount: (2 * count + 1) * MemoryLayout<Float>.size, alignment: 64)
    defer { memory.deallocate() }
    let floats = memory.bindMemory(to: Float.self, capacity: 2 * count + 1)
    for index in 0...2 * count { floats[index] = Float(index) }
    instructionSet.kernels.pointee.limits.copy_past_caches(floats + count, Int64(count), floats)
    #expect((0..<count).allSatisfy { floats[$0] == Float(count + $0) })
    #expect((count...2 * count).allSatisfy { floats[$0] == Float($0) })
  }

  /// Chains that a compiler can foresee would be counted and not run: each must follow from the number given.
  @Test(arguments: InstructionSet.available, [-3, 0, 0.75] as [Float])
  func everyMultiplyAddIsRun(on instructionSet: InstructionSet, from start: Float) {
    var sink = start
    let repeats = 100
    let operations = instructionSet.kernels.pointee.limits.multiply_adds(Int64(repeats), &sink)
    let chains = Int(operations) / (2 * instructionSet.lanes * repeats)
    #expect(operations == Double(2 * instructionSet.lanes * repeats * chains))
    let ends = (0..<chains).map { chain in
      (0..<repeats).reduce(Double(start) + Double(chain)) { x, _ in x * 0.999 + 0.001 }
    }
    let expected = Double(instructionSet.lanes) * ends.reduce(0, +)
    #expect(abs(Double(sink) - expected) < 1e-4 * abs(expected))
  }

  @Test func limitsArePositiveNumbers() throws {
    let limits = MachineLimits(try KernelSet(), runs: 1)
    let all = [
      limits.fmaPerSecondOne, limits.fmaPerSecondAll, limits.copyBytesPerSecondOne, limits.copyBytesPerSecondAll,
      limits.streamedCopyBytesPerSecondAll,
    ]
    #expect(all.allSatisfy { $0 > 0 && $0.isFinite })
  }
}
