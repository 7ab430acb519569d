import Foundation
import GoldenTensors
import TestSupport
import Testing
import Traces

/// `v4-oracle golden export` as a person runs it.
@Suite struct ExportCommandTests {
  private func members(of folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
  }

  @Test func casesAreWrittenAtTheSamePlace() throws {
    try withTemporaryFolder { folder in
      let out = folder + "/cases"
      let run = try oracle("golden", "export", "--format", "safetensors", "--filter", "sinkhorn", "--out", out)
      #expect(run.status == 0)
      let library = try GoldenLibrary.bundled()
      let entries = library.manifest.cases.filter { $0.id.contains("sinkhorn") }
      #expect(run.output == "wrote \(out): \(entries.count) cases as safetensors\n")
      for entry in entries {
        let file = try TensorFile("\(out)/vectors/\(entry.id).safetensors")
        #expect(file.names.filter { $0.hasPrefix("expected/") }.count == entry.tensors.count)
      }
      #expect(try members(of: out) == ["manifest.json", "vectors"])
      #expect(try members(of: folder) == ["cases"])
    }
  }

  @Test func inputsOnlyAndIntoAnEmptyFolder() throws {
    try withTemporaryFolder { folder in
      let arguments = ["golden", "export", "--only-inputs", "--filter", "by-eye", "--out", folder, "--format"]
      let run = try oracle(arguments + ["hdf5"])
      #expect(run.status == 0)
      let enumerator = FileManager.default.enumerator(atPath: folder + "/vectors")
      let files = (enumerator?.allObjects as? [String] ?? []).filter { $0.hasSuffix(".h5") }
      #expect(!files.isEmpty)
      for path in files {
        let file = try TensorFile("\(folder)/vectors/\(path)")
        #expect(!file.groups.contains("expected"))
      }
    }
  }

  @Test(arguments: [
    (["--format", "safetensors", "--filter", "zzz"], "error: manifest.json: no case has 'zzz' in its id\n"),
    (
      ["--format", "hdf5"],
      "error: export: the cases are HDF5 already; --format hdf5 needs --only-inputs\n"
    ),
    (
      ["--format", "safetensors", "--golden", "/nowhere"], "error: /nowhere: there is no manifest.json in this folder\n"
    ),
  ])
  func badInputExitsWith2AndWritesNothing(arguments: [String], sentence: String) throws {
    try withTemporaryFolder { folder in
      let run = try oracle(["golden", "export", "--out", folder + "/out"] + arguments)
      #expect(run.status == 2)
      #expect(run.errors == sentence)
      #expect(try members(of: folder) == [])
    }
  }

  @Test func whatIsThereIsNotTouched() throws {
    try withTemporaryFolder { folder in
      try Data("mine".utf8).write(to: URL(fileURLWithPath: folder + "/mine"))
      for out in [folder, folder + "/mine"] {
        let run = try oracle("golden", "export", "--format", "safetensors", "--filter", "by-eye", "--out", out)
        #expect(run.status == 2)
        #expect(run.errors == "error: export: \(out) is there already, and is no empty folder\n")
      }
      #expect(try members(of: folder) == ["mine"])
    }
  }

  /// A case that cannot be trusted stops the export, and nothing stays.
  @Test func aTamperedCaseLeavesNothing() throws {
    try withTemporaryFolder { folder in
      let copy = folder + "/golden"
      try FileManager.default.copyItem(atPath: GoldenLibrary.bundledDirectory, toPath: copy)
      let library = try GoldenLibrary(directory: copy)
      let entry = try #require(library.manifest.cases.last { $0.id.contains("sinkhorn") })
      try Data("x".utf8).write(to: URL(fileURLWithPath: "\(copy)/\(entry.file)"))
      let run = try oracle(
        "golden", "export", "--golden", copy, "--format", "safetensors", "--filter", "sinkhorn", "--out",
        folder + "/out")
      #expect(run.status == 2)
      #expect(run.errors == "error: \(entry.file): its SHA-256 is not the one it should have\n")
      #expect(try members(of: folder) == ["golden"])
    }
  }
}
