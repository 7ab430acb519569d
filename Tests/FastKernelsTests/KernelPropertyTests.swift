import FastKernels
import Testing

/// Every fast kernel of every instruction set against the slow path.
@Suite struct KernelPropertyTests {
  @Test(arguments: InstructionSet.available) func stepsAgreeWithinRoundoff(on instructionSet: InstructionSet) throws {
    let failures = try PropertyChecks.accuracy(KernelSet(instructionSet))
    #expect(failures == [])
    let cases = try PropertyChecks.cases.get()
    #expect(Set(cases.map(\.twinCase.twin.name)).count == 20)
  }

  @Test(arguments: InstructionSet.available) func iterationsGiveTheSameBits(on instructionSet: InstructionSet) throws {
    let failures = try PropertyChecks.iterations(KernelSet(instructionSet))
    #expect(failures == [])
  }

  @Test(arguments: InstructionSet.available) func selectionsAreTheSame(on instructionSet: InstructionSet) throws {
    let failures = try PropertyChecks.selections(KernelSet(instructionSet))
    #expect(failures == [])
  }

  @Test(arguments: InstructionSet.available) func nothingFiniteComesOfNaN(on instructionSet: InstructionSet) throws {
    let failures = try PropertyChecks.nonFinite(KernelSet(instructionSet))
    #expect(failures == [])
  }

  @Test(arguments: InstructionSet.available) func outputsAreWrittenWholeAndAlone(
    on instructionSet: InstructionSet
  ) throws {
    let failures = try PropertyChecks.guarded(KernelSet(instructionSet))
    #expect(failures == [])
  }

  @Test(arguments: InstructionSet.available) func packedWeightsAreReadAsTheyAre(
    on instructionSet: InstructionSet
  ) throws {
    let failures = try PropertyChecks.packed(KernelSet(instructionSet))
    #expect(failures == [])
  }
}
