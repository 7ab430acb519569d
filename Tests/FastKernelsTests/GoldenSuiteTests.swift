import Conformance
import FastKernels
import GoldenTensors
import Tensors
import Testing

@Suite struct GoldenSuiteTests {
  /// Every case, on every instruction set of the machine: nothing fails, and nothing is left out.
  @Test(arguments: InstructionSet.available) func everyCasePasses(on instructionSet: InstructionSet) throws {
    let library = try GoldenLibrary.bundled()
    let verification = try Verification(library, paths: [.float], kernels: KernelSet(instructionSet))
    #expect(verification.results.count == library.manifest.cases.count)
    #expect(verification.results.count > 600)
    #expect(verification.passed, "\(verification.report(library.manifest))")
  }

  @Test func thereIsAnInstructionSetForEveryMachine() {
    let names = InstructionSet.available.map(\.name)
    #expect(names.last == "portable")
    #expect(Set(names).count == names.count)
    print("instruction sets of this machine: \(names.joined(separator: ", "))")
  }

  @Test func theDoublePathHasNoFastKernels() throws {
    let kernels = try KernelSet()
    #expect(throws: InputError("kernels", "fast kernels compute on the float path only")) {
      try ReferenceEngine(path: .double, kernels: kernels)
    }
  }

  @Test func zeroThreadsAreRefused() {
    #expect(throws: InputError("threads", "there must be at least 1, got 0")) { try KernelSet(threads: 0) }
  }
}
