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

  @Test func limitsArePositiveNumbers() throws {
    let limits = MachineLimits(try KernelSet(), runs: 1)
    let all = [
      limits.fmaPerSecondOne, limits.fmaPerSecondAll, limits.copyBytesPerSecondOne, limits.copyBytesPerSecondAll,
      limits.streamedCopyBytesPerSecondAll,
    ]
    #expect(all.allSatisfy { $0 > 0 && $0.isFinite })
  }
}
