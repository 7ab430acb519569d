import Conformance
import Foundation
import GoldenTensors
import Tensors
import TestSupport
import Testing

/// What the report on an engine says, and when it passes.
@Suite struct EngineReportTests {
  /// An engine in Swift that does what a test wants.
  private struct TestEngine: ConformanceEngine {
    let name = "test"
    var precision = PrecisionClass.fp64
    let body: @Sendable (EngineRequest) throws -> EngineAnswer

    func answer(_ request: EngineRequest) throws -> EngineAnswer { try body(request) }
  }

  private struct Refusal: Error {}

  private static let golden = Result { try GoldenLibrary.bundled() }

  private func report(
    _ filter: String, precision: PrecisionClass = .fp64, expectedFailures: String = "", repeats: Int = 1,
    _ body: @escaping @Sendable (EngineRequest) throws -> EngineAnswer
  ) throws -> ConformanceReport {
    try ConformanceReport(
      of: TestEngine(precision: precision, body: body), Self.golden.get(), filter: filter,
      expectedFailures: ExpectedFailures(expectedFailures, name: "known.txt"), repeats: repeats)
  }

  /// The right answers, but to one case.
  private func wrongAt(_ text: String) throws -> @Sendable (EngineRequest) throws -> EngineAnswer {
    let right = try ReferenceEngine(path: .double)
    return { request in request.id.contains(text) ? .tensors([:]) : try right.answer(request) }
  }

  @Test func negativeCasesWantARefusal() throws {
    let refused = try report("refuses-sinkhorn") { _ in throw Refusal() }
    #expect(refused.passed)
    #expect(refused.results.map(\.words) == ["Refusal()", "Refusal()", "Refusal()"])
    let accepted = try report("refuses-sinkhorn") { _ in .tensors([:]) }
    #expect(accepted.failures.count == 3)
    #expect(accepted.text.contains("it accepted an input that has to be refused"))
  }

  @Test func nothingSupportedIsAFailure() throws {
    let report = try report("sinkhorn") { _ in .unsupported("no | idea") }
    #expect(!report.passed)
    #expect(report.text.contains("FAULT  the engine supports none of the 21 cases"))
    #expect(report.text.contains("Unsupported\n  21 cases: no | idea (odd/"))
    #expect(report.page.contains("- 21 cases: no \\| idea (odd/"))
  }

  @Test func expectedFailuresMayFail() throws {
    let report = try report(
      "sinkhorn", expectedFailures: "# known\n*/sinkhorn-two-*  # half of it is missing\n", wrongAt("two-streams"))
    #expect(report.passed)
    #expect(report.expectedFailures.count == 1)
    #expect(report.text.contains("20 passed, 0 failed, 1 failed as expected"))
    #expect(report.text.contains("tiny/hyper-connections/sinkhorn-two-streams: half of it is missing"))
  }

  @Test(arguments: [
    ("*/sinkhorn-two-* # no\n*/sinkhorn-one-stream # no", "sinkhorn-one-stream passed; by line 2"),
    ("*/sinkhorn-two-* # no\nnowhere # no", "line 2 of the expected failures, 'nowhere', matches no case"),
    ("*/sinkhorn-t* # no", "sinkhorn-three-streams passed; by line 1"),
  ])
  func anExpectedFailureThatDoesNotHappenFails(text: String, sentence: String) throws {
    let report = try report("sinkhorn", expectedFailures: text, wrongAt("two-streams"))
    #expect(!report.passed)
    #expect(report.text.contains(sentence), "\(report.text)")
  }

  @Test func unsupportedIsNoExpectedFailure() throws {
    let right = try ReferenceEngine(path: .double)
    let report = try report("sinkhorn", expectedFailures: "*two-streams # no") { request in
      request.id.contains("two-streams") ? .unsupported("no") : try right.answer(request)
    }
    #expect(!report.passed)
    #expect(report.text.contains("sinkhorn-two-streams is unsupported, which is no failure"))
  }

  @Test func anExpectedFailureOutsideTheFilterIsNoFault() throws {
    #expect(try report("sinkhorn", expectedFailures: "*/site # no", wrongAt("nothing")).passed)
  }

  @Test(arguments: ["a/b", "a/b #", "a/b #   ", "# fine\n\n x"]) func aLineWithoutReasonIsRefused(text: String) throws {
    #expect(throws: GoldenError.self) { try ExpectedFailures(text, name: "known.txt") }
  }

  @Test func theEngineIsComparedWithItself() throws {
    let right = try ReferenceEngine(path: .double)
    let count = Counter()
    let report = try report("sinkhorn-two-streams", precision: .fp32, repeats: 3) { request in
      guard case .tensors(let tensors) = try right.answer(request),
        let exact = tensors["combination"]?.reals(Double.self)
      else { throw Refusal() }
      let factor = 1 + 1e-9 * Double(count.next())
      return .tensors(["combination": .float64(exact.map { $0 * factor })])
    }
    #expect(report.passed)
    #expect(report.control?.identical == 0)
    #expect(report.text.contains("Run to run: 3 runs of each case: 0 of 1 give the same bits each time; the largest"))
    let multiple = try #require(report.control?.largest?.multiple.value)
    #expect(multiple > 1e-4 && multiple < 1)
    let steady = try self.report("sinkhorn-two-streams", repeats: 3) { try right.answer($0) }
    #expect(steady.text.contains("3 runs of each case: 1 of 1 give the same bits each time."))
  }

  @Test func oneBadRunOfSeveralFails() throws {
    let right = try ReferenceEngine(path: .double)
    let count = Counter()
    let report = try report("sinkhorn-two-streams", repeats: 3) { request in
      count.next() == 2 ? .tensors([:]) : try right.answer(request)
    }
    #expect(report.failures.count == 1)
    #expect(report.control?.unstable == ["tiny/hyper-connections/sinkhorn-two-streams"])
  }

  @Test(arguments: [PrecisionClass.tf32, .bf16, .fp8fp4]) func classesWithoutBudgetsAreRefused(
    precision: PrecisionClass
  ) throws {
    let engine = TestEngine(precision: precision, body: try wrongAt("no case"))
    try withTemporaryFolder { folder in
      for name in ["manifest.json", "vectors"] {
        try FileManager.default.createSymbolicLink(
          atPath: "\(folder)/\(name)", withDestinationPath: "\(GoldenLibrary.bundledDirectory)/\(name)")
      }
      let library = try GoldenLibrary(directory: folder)
      #expect(throws: GoldenError.self) { try ConformanceReport(of: engine, library, filter: "sinkhorn") }
    }
    #expect(try report("sinkhorn", precision: precision, wrongAt("no case")).passed)
    #expect(try !report("sinkhorn", precision: precision, wrongAt("two-streams")).passed)
  }

  @Test func theClassDecidesTheTolerance() throws {
    let float = try ReferenceEngine(path: .float)
    #expect(try report("sinkhorn-scale-1", precision: .fp32) { try float.answer($0) }.passed)
    #expect(try !report("sinkhorn-scale-1", precision: .fp64) { try float.answer($0) }.passed)
  }

  @Test func aPageHoldsNoPathsAndIsTheSameEachTime() throws {
    let body: @Sendable (EngineRequest) throws -> EngineAnswer = { request in
      if request.operation == "expand" { return .unsupported("see /home/somebody/engine/notes.txt") }
      throw GoldenError("/home/somebody/file.h5", "is *not* right in tiny/hyper-connections/site")
    }
    let report = try report("tiny/hyper-connections/", body)
    #expect(!report.page.contains("/home"))
    #expect(report.page.contains("see notes.txt"))
    #expect(report.page.contains("file.h5: is *not* right in tiny/hyper-connections/site"))
    #expect(report.page.contains("## Failures\n\n```\nFAILED"))
    #expect(report.page.contains("… and"))
    #expect(report.page == (try self.report("tiny/hyper-connections/", body).page))
  }
}

/// Counts calls, from any thread.
private final class Counter: @unchecked Sendable {
  private let lock = NSLock()
  private var count = 0

  func next() -> Int {
    lock.lock()
    defer { lock.unlock() }
    count += 1
    return count
  }
}

extension EngineReportTests {
  /// Takes the other one of equal scores, and claims a class that cannot tell; what it does with selections of the case
  /// is up to the test.
  private struct TieEngine: ConformanceEngine {
    let name = "tie"
    let precision = PrecisionClass.bf16
    let replays = true
    let engine: ReferenceEngine
    let takesSelections: Bool

    init(takesSelections: Bool) throws {
      engine = try ReferenceEngine(path: .double, bug: "indexer-tie-order")
      self.takesSelections = takesSelections
    }

    func answer(_ request: EngineRequest) throws -> EngineAnswer { try engine.answer(request) }

    func answer(_ request: EngineRequest, holding selections: [String: StoredTensor]) throws -> EngineAnswer {
      takesSelections ? try engine.answer(request, holding: selections) : try engine.answer(request)
    }
  }

  @Test func afterATieTheEngineIsGivenTheSelectionsOfTheCase() throws {
    let golden = try GoldenLibrary.bundled()
    let right = try ConformanceReport(of: TieEngine(takesSelections: true), golden, filter: "csa-tie-at-zero")
    #expect(right.passed, "\(right.text)")
    #expect(right.results.contains { !$0.ties.isEmpty })
    let wrong = try ConformanceReport(of: TieEngine(takesSelections: false), golden, filter: "csa-tie-at-zero")
    #expect(!wrong.passed)
    #expect(wrong.text.contains("that was with the selections of the case in place of its own"))
  }
}
