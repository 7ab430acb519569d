import ArgumentParser
import Foundation
import GoldenTensors
import Tensors
import Traces

struct GoldenExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write the golden cases in another format.",
    discussion: """
      Each case becomes one file at the same relative path, beside a copy of the manifest. golden/FORMAT.md says what is \
      called how. The folder appears only when all of it is written.
      """)

  @OptionGroup var golden: GoldenOptions

  @Option(help: "The format: safetensors, or hdf5 together with --only-inputs.")
  var format: TensorFileFormat

  @Option(help: ArgumentHelp("Only the cases with this text in their id.", valueName: "text"))
  var filter: String?

  @Flag(help: "Leave out what is expected: what an engine may see.")
  var onlyInputs = false

  @Option(help: ArgumentHelp("The folder to write; it must not be there yet, or be empty.", valueName: "directory"))
  var out: String

  func run() throws {
    guard format == .safetensors || onlyInputs else {
      throw InputError("export", "the cases are HDF5 already; --format hdf5 needs --only-inputs")
    }
    let library = try golden.library()
    let entries = library.manifest.cases.filter { filter.map($0.id.contains) ?? true }
    guard !entries.isEmpty else { throw GoldenError("manifest.json", "no case has '\(filter ?? "")' in its id") }
    try inNewFolder(out) { folder in
      var progress = Progress("export")
      for (index, entry) in entries.enumerated() {
        let path = "\(folder)/vectors/\(entry.id).\(format.suffix)"
        try FileManager.default.createDirectory(
          at: URL(fileURLWithPath: path).deletingLastPathComponent(), withIntermediateDirectories: true)
        let goldenCase = try library.load(entry)
        if onlyInputs {
          try goldenCase.request.write(to: path, as: format)
        } else {
          try goldenCase.write(safetensorsTo: path)
        }
        progress.report(index + 1, of: entries.count)
      }
      try FileManager.default.copyItem(
        at: library.directory.appendingPathComponent("manifest.json"),
        to: URL(fileURLWithPath: folder).appendingPathComponent("manifest.json"))
    }
    print("wrote \(out): \(entries.count) case\(entries.count == 1 ? "" : "s") as \(format.rawValue)")
  }
}

extension TensorFileFormat: ExpressibleByArgument {}

/// Fills a folder under a temporary name beside it, then gives it its name.
///
/// - Throws: `InputError` if there is something in `path` already or it cannot be made, and what `fill` throws; then
///   nothing is left behind.
func inNewFolder(_ path: String, _ fill: (_ folder: String) throws -> Void) throws {
  let files = FileManager.default
  let target = URL(fileURLWithPath: path, isDirectory: true).standardizedFileURL.path
  if files.fileExists(atPath: target) {
    guard let members = try? files.contentsOfDirectory(atPath: target), members.isEmpty else {
      throw InputError("export", "\(path) is there already, and is no empty folder")
    }
  }
  let temporary = "\(target).\(UUID().uuidString).tmp"
  do {
    try files.createDirectory(atPath: temporary, withIntermediateDirectories: false)
  } catch {
    throw InputError("export", "no folder can be made beside \(path)")
  }
  do {
    try fill(temporary)
    // An empty folder of that name is replaced.
    guard rename(temporary, target) == 0 else { throw InputError("export", "\(path) cannot be put in place") }
  } catch {
    try? files.removeItem(atPath: temporary)
    throw error
  }
}
