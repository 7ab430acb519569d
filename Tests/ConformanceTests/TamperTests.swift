import Conformance
import Foundation
import GoldenTensors
import TestSupport
import Testing

/// Whoever changes a golden folder by hand has to be noticed: by lint and by verify.
@Suite struct TamperTests {
  @Test func aCopyIsClean() throws {
    try withCopy { folder in try expectVerdict(folder, passes: true) }
  }

  @Test(arguments: [0.0, 0.3, 0.6, 0.999]) func aFlippedByteIsNoticed(position: Double) throws {
    try withCopy { folder in
      let library = try GoldenLibrary(directory: folder)
      for entry in library.manifest.cases {
        let url = library.directory.appendingPathComponent(entry.file)
        let original = try Data(contentsOf: url)
        var data = original
        data[Int(Double(data.count) * position)] ^= 0x10
        try data.write(to: url)
        #expect(throws: GoldenError(entry.file, "its SHA-256 is not the one it should have")) {
          try library.load(entry)
        }
        if entry.id != library.manifest.cases.last?.id { try original.write(to: url) }
      }
      // The last one stays damaged: both commands have to say so.
      try expectVerdict(folder, passes: false)
    }
  }

  @Test func aMissingFileIsNoticed() throws {
    try withCopy { folder in
      try FileManager.default.removeItem(atPath: try vectors(folder)[5])
      try expectVerdict(folder, passes: false)
    }
  }

  @Test func anUnlistedFileIsNoticed() throws {
    try withCopy { folder in
      let first = try vectors(folder)[0]
      try FileManager.default.copyItem(atPath: first, toPath: first.replacingOccurrences(of: ".h5", with: "-2.h5"))
      try expectVerdict(folder, passes: false)
    }
  }

  @Test(arguments: ["float", "double"]) func anEditedToleranceIsNoticed(path: String) throws {
    try withCopy { folder in
      let url = URL(fileURLWithPath: folder + "/manifest.json")
      var root = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
      var cases = try #require(root["cases"] as? [[String: Any]])
      let position = try #require(cases.firstIndex { $0["operation"] as? String == "site" && $0["note"] is NSNull })
      var tensors = try #require(cases[position]["tensors"] as? [String: [String: Any]])
      var tolerance = try #require(tensors["pre"]?["tolerance"] as? [String: Any])
      tolerance[path] = try #require(tolerance[path] as? Double) * 1.001
      tensors["pre"]?["tolerance"] = tolerance
      cases[position]["tensors"] = tensors
      root["cases"] = cases
      try JSONSerialization.data(withJSONObject: root).write(to: url)
      try expectVerdict(folder, passes: false)
    }
  }

  private func withCopy(_ body: (String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let copy = folder + "/golden"
      try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
      for name in ["manifest.json", "budgets.json", "vectors"] {
        try FileManager.default.copyItem(
          atPath: "\(GoldenLibrary.bundledDirectory)/\(name)", toPath: "\(copy)/\(name)")
      }
      try body(copy)
    }
  }

  private func vectors(_ folder: String) throws -> [String] {
    let root = folder + "/vectors"
    let files = try FileManager.default.subpathsOfDirectory(atPath: root).filter { $0.hasSuffix(".h5") }.sorted()
    try #require(files.count > 100)
    return files.map { "\(root)/\($0)" }
  }

  private func expectVerdict(_ folder: String, passes: Bool) throws {
    let library = try GoldenLibrary(directory: folder)
    #expect(GoldenLint(library).passed == passes)
    #expect(try Verification(library, paths: [.double]).passed == passes)
  }
}
