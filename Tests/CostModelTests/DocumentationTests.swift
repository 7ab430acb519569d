import Foundation
import TestSupport
import Testing

/// `docs/cost.md` and `docs/cost.svg` show what the command says.
@Suite struct DocumentationTests {
  static let documents = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs")

  @Test func theDocumentHasTheTablesOfTheCommand() throws {
    let text = try String(contentsOf: Self.documents.appending(path: "cost.md"), encoding: .utf8)
    let output = try oracle("cost").output
    let start = try #require(output.range(of: "PARAMETERS"))
    let tables = output[start.lowerBound...].components(separatedBy: "\n\n").filter { $0.contains("─") }
    #expect(tables.count == 6)
    for table in tables {
      #expect(text.contains(table.trimmingCharacters(in: .newlines)), "docs/cost.md should have\n\(table)")
    }
  }

  @Test func theDrawingIsThatOfTheCommand() throws {
    try withTemporaryFolder { folder in
      _ = try oracle("cost", "--svg", folder + "/cost.svg")
      let drawn = try Data(contentsOf: URL(fileURLWithPath: folder + "/cost.svg"))
      let stored = try Data(contentsOf: Self.documents.appending(path: "cost.svg"))
      #expect(drawn == stored, "docs/cost.svg should be made anew: v4-oracle cost --svg docs/cost.svg")
    }
  }
}
