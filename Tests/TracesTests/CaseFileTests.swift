import GoldenTensors
import Tensors
import TestSupport
import Testing
import Traces

/// Golden cases in files of other formats.
@Suite struct CaseFileTests {
  private func load(_ id: String) throws -> GoldenCase {
    let library = try GoldenLibrary.bundled()
    return try library.load(#require(library.entry(id)))
  }

  @Test(arguments: TensorFileFormat.allCases)
  func anEngineSeesEverythingButWhatIsExpected(format: TensorFileFormat) throws {
    let goldenCase = try load("tiny/expert-routing/router-bias-decides")
    try withTemporaryFolder { folder in
      let path = folder + "/case"
      try goldenCase.request.write(to: path, as: format)
      let file = try TensorFile(path)
      #expect(file.names == ["inputs/hidden", "weights/bias", "weights/gate"])
      #expect(try file.read("weights/gate") == goldenCase.weights["gate"])
      let attributes = try file.attributes(["case", "operation", "seed", "format_version", "expected_error"])
      #expect(attributes["case"] == .text(goldenCase.entry.id))
      #expect(attributes["operation"] == .text("router"))
      let number: (Int64) -> StoredAttribute = { format == .hdf5 ? .integer($0) : .text("\($0)") }
      #expect(attributes["seed"] == number(Int64(goldenCase.entry.seed)))
      #expect(attributes["format_version"] == number(1))
      let parameters = try file.attributes(["experts_per_token", "route_scale"], of: "parameters")
      #expect(parameters["experts_per_token"] == number(2))
      #expect(parameters["route_scale"] == (format == .hdf5 ? .real(1.5) : .text("1.5")))
    }
  }

  @Test func aWholeCaseAsSafetensors() throws {
    let goldenCase = try load("tiny/expert-routing/router-bias-decides")
    try withTemporaryFolder { folder in
      let path = folder + "/case"
      try goldenCase.write(safetensorsTo: path)
      let file = try TensorFile(path)
      #expect(file.names.count == 3 + goldenCase.expected.count)
      for (name, tensor) in goldenCase.expected { #expect(try file.read("expected/\(name)") == tensor, "\(name)") }
      let logits = try file.attributes(["judge", "tolerance_float", "tolerance_double"], of: "expected/logits")
      let tolerance = try #require(goldenCase.entry.tensors["logits"]?.tolerance)
      #expect(logits["judge"] == .text("absolute"))
      #expect(logits["tolerance_float"] == .text("\(tolerance.float)"))
      #expect(logits["tolerance_double"] == .text("\(tolerance.double)"))
      let indices = try file.attributes(["judge", "tolerance_float"], of: "expected/indices")
      #expect(indices == ["judge": .text("exact")])
    }
  }

  @Test func textsAreJSONAndAnExpectedErrorIsNotGivenAway() throws {
    let library = try GoldenLibrary.bundled()
    let entry = try #require(library.manifest.cases.first { $0.operation == "mixture" && $0.expectedError != nil })
    let goldenCase = try library.load(entry)
    try withTemporaryFolder { folder in
      try goldenCase.request.write(to: folder + "/given", as: .safetensors)
      try goldenCase.write(safetensorsTo: folder + "/whole")
      let given = try TensorFile(folder + "/given").attributes(["expected_error", "parameters/routing"])
      let whole = try TensorFile(folder + "/whole").attributes(["expected_error"])
      #expect(given["expected_error"] == nil)
      #expect(whole["expected_error"] == entry.expectedError.map { .text($0) })
      guard case .text(let routing)? = given["parameters/routing"] else {
        Issue.record("there is no routing")
        return
      }
      #expect(["\"learned\"", "\"hash\""].contains(routing))
    }
  }
}
