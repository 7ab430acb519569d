import Conformance
import GoldenTensors
import Testing

@Suite struct VerificationTests {
  @Test func everyCasePassesOnBothPaths() throws {
    let library = try GoldenLibrary.bundled()
    let verification = try Verification(library)
    #expect(verification.results.count == 2 * library.manifest.cases.count)
    #expect(verification.inventoryFaults.isEmpty)
    for failure in verification.failures { Issue.record("\(failure.id): \(failure)") }
    #expect(verification.passed)
    print("\n" + verification.report(library.manifest))
  }

  @Test func everyExpectedTensorIsCompared() throws {
    let lint = GoldenLint(try GoldenLibrary.bundled())
    #expect(lint.passed, "\(lint.faults)")
    #expect(lint.expectedTensors > 400)
    #expect(lint.comparedTensors == lint.expectedTensors)
  }

  @Test func aFilterThatMatchesNothingIsAnError() throws {
    #expect(throws: GoldenError("manifest.json", "no case has 'nothing like this' in its id")) {
      try Verification(GoldenLibrary.bundled(), filter: "nothing like this")
    }
  }

  @Test func everyEquationHasACaseThatPasses() throws {
    let coverage = try Verification(GoldenLibrary.bundled(), paths: [.double]).coverage
    #expect(coverage.equationsCovered == coverage.equations)
    #expect(coverage.bugsKilled == coverage.visibleBugs)
  }
}
