import Foundation
import GoldenTensors
import TestSupport
import Testing

@Suite struct ManifestTests {
  @Test func theLibraryIsAsLargeAsItClaims() throws {
    let library = try GoldenLibrary.bundled()
    let positive = library.manifest.cases.filter { $0.expectedError == nil }
    #expect(positive.count { $0.component == "hyper-connections" } >= 30)
    #expect(positive.count { $0.component == "expert-routing" } >= 40)
    #expect(positive.count { $0.component == "harness" && $0.note?.contains("harness is wrong") == true } == 3)
    #expect(library.manifest.cases.count { $0.expectedError != nil } >= 12)
    #expect(positive.count { ["attention", "attention-from-state"].contains($0.operation) } >= 120)
    #expect(positive.count { $0.operation == "model" } >= 50)
    #expect(positive.count { $0.operation == "mtp" } >= 25)
    #expect(positive.count { $0.component == "low-precision" } >= 50)
    #expect(library.manifest.cases.map(\.bytes).reduce(0, +) < 30 << 20)
    #expect(Set(library.manifest.cases.map(\.preset)) == ["tiny", "odd", "published", "setup"])
  }

  @Test func everyTensorIsConfirmedByAnotherGenerator() throws {
    for entry in try GoldenLibrary.bundled().manifest.cases {
      for (name, tensor) in entry.tensors { #expect(!tensor.confirmedBy.isEmpty, "\(entry.id) \(name)") }
    }
  }

  @Test func selectionsStateTheirMargins() throws {
    let selecting = try GoldenLibrary.bundled().manifest.cases.filter {
      $0.operation == "router" && $0.expectedError == nil
    }
    #expect(!selecting.isEmpty)
    for entry in selecting { #expect(entry.smallestMargin != nil, "\(entry.id)") }
  }

  @Test(arguments: [
    ("\"title\":", "\"titel\":", "has the unknown key 'titel'"),
    ("\"case_count\": ", "\"case_count\": 1", "case_count is"),
    ("\"format_version\": 1", "\"format_version\": 2", "format_version is not 1; this build reads no other"),
    ("\"spread_factor\": 4", "\"spread_factor\": 40", "its tolerance_rule is not the one that FORMAT.md publishes"),
    ("\"note\": null", "\"hint\": null", "has the unknown key 'hint'"),
    ("\"seed\": ", "\"seed\": \"x\", \"sed\": ", "has the unknown key 'sed'"),
    ("vectors/tiny", "../tiny", "do not follow from its id"),
  ])
  func anEditedManifestIsRefused(old: String, new: String, problem: String) throws {
    try withTemporaryFolder { folder in
      let source = URL(fileURLWithPath: GoldenLibrary.bundledDirectory).appendingPathComponent("manifest.json")
      let text = try String(contentsOf: source, encoding: .utf8)
      let range = try #require(text.range(of: old), "the manifest does not contain \(old)")
      let edited = text.replacingCharacters(in: range, with: new)
      try Data(edited.utf8).write(to: URL(fileURLWithPath: folder + "/manifest.json"))
      let error = #expect(throws: GoldenError.self) { try GoldenLibrary(directory: folder) }
      #expect(error?.problem.contains(problem) == true, "\(error?.description ?? "no error")")
    }
  }

  @Test func aManifestThatIsNotJSONIsRefused() throws {
    try withTemporaryFolder { folder in
      #expect(throws: GoldenError.self) { try GoldenLibrary(directory: folder) }
      try Data("[1, 2".utf8).write(to: URL(fileURLWithPath: folder + "/manifest.json"))
      #expect(throws: GoldenError("manifest.json", "is not a JSON object")) { try GoldenLibrary(directory: folder) }
    }
  }
}
