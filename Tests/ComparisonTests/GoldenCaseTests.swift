import Comparison
import GoldenTensors
import Tensors
import TestSupport
import Testing

/// Golden cases as the expected side.
@Suite struct GoldenCaseTests {
  /// What a case expects is right, of every case; and it would not be if it were another.
  @Test func everyCasePassesWithItsOwnValuesAndFailsWithOthers() throws {
    let library = try GoldenLibrary.bundled()
    for entry in library.manifest.cases where entry.expectedError == nil {
      let goldenCase = try library.load(entry)
      let judged = goldenCase.judged
      let right = try compare(goldenCase, judged)
      let failed = right.tensors.filter { $0.verdict == .fail }
      #expect(failed.isEmpty && right.missing.isEmpty && right.extra.isEmpty, "\(entry.id): \(right.headline)")
      let unclear = right.tensors.allSatisfy { $0.verdict == .cannotTell }
      #expect(right.passed != unclear, "\(entry.id): \(right.headline)")
      let wrong = try compare(goldenCase, judged.mapValues(disturbed))
      let passed = wrong.tensors.filter { $0.verdict == .pass || $0.verdict == .tie }
      #expect(passed.isEmpty, "\(entry.id): \(passed.map(\.name))")
    }
  }

  /// Another value for the first finite element that is not the only one.
  private func disturbed(_ tensor: StoredTensor) -> StoredTensor {
    switch tensor {
    case .float64(let reals):
      guard let place = reals.elements.firstIndex(where: \.isFinite) else { return tensor }
      var elements = reals.elements
      elements[place] += 1 + elements[place].magnitude
      return .float64(try! Tensor(shape: reals.shape, elements: elements))
    case .int64(let integers):
      var elements = integers.elements
      guard !elements.isEmpty else { return tensor }
      elements[0] += 1_000_000
      return .int64(try! Tensor(shape: integers.shape, elements: elements))
    default: return tensor
    }
  }

  @Test func tolerancesAreThoseOfTheManifest() throws {
    let library = try GoldenLibrary.bundled()
    let entry = try #require(library.entry("odd/hyper-connections/site"))
    let tolerance = try #require(entry.tensors["combination"]?.tolerance)
    let goldenCase = try library.load(entry)
    let double = try compare(goldenCase, goldenCase.judged, class: .fp64)
    let float = try compare(goldenCase, goldenCase.judged, class: .fp32)
    #expect(double.tensors.first { $0.name == "combination" }?.tolerance == tolerance.double)
    #expect(float.tensors.first { $0.name == "combination" }?.tolerance == tolerance.float)
    for precision in [PrecisionClass.tf32, .bf16, .fp8fp4] {
      let sentence =
        "has measured tolerances for fp64 and fp32 only, so \(entry.id) cannot be judged as \(precision.rawValue)"
      #expect(throws: GoldenError("manifest.json", sentence)) {
        try compare(goldenCase, goldenCase.judged, class: precision)
      }
    }
  }

  @Test func aCaseThatHasToBeRefusedHasNothingToCompare() throws {
    let library = try GoldenLibrary.bundled()
    let entry = try #require(library.manifest.cases.first { $0.expectedError != nil })
    let goldenCase = try library.load(entry)
    #expect(throws: GoldenError(entry.file, "the case has to be refused, so there are no tensors to compare")) {
      try ExpectedTensors(goldenCase, class: .fp32)
    }
  }
}
