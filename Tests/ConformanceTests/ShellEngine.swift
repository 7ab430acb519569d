import Conformance
import Foundation
import GoldenTensors
import TestSupport
import Testing

/// An engine that is a few lines of shell, so that it can do anything an engine should not do.
///
/// It starts and stops as it should. In `onRun`, `$id`, `$case`, `$file` and `$result` are those of the message, and
/// `answer` sends a result; `files` is the folder of prepared result files.
struct ShellEngine {
  let folder: String

  /// The only case of this text in its id.
  static let caseText = "sinkhorn-two-streams"
  static let claim = #"{"type":"started","protocol":1,"engine":{"name":"shell","version":"1"},"precision":"fp32"}"#
  /// The claim with another member.
  static func claim(with member: String) -> String { "\(claim.dropLast()),\(member)}" }
  static let stop = #"echo '{"type":"stopped"}'; exit 0"#

  /// The command line of an engine.
  func command(onRun: String, started: String = Self.claim, onStop: String = Self.stop) throws -> String {
    let script = #"""
      files='\#(folder)'
      answer() { printf '{"type":"result","id":"%s","file":"%s"}\n' "$id" "$result"; }
      member() { value=${line#*"\"$1\":\""}; value=${value%%'"'*}; }
      while IFS= read -r line; do
        member id; id=$value
        case "$line" in *'\"'*) id=$(printf '%s' "$line" | sed 's/.*"id":"\(\([^"\]\|\\.\)*\)".*/\1/') ;; esac
        case "$line" in
          *'"type":"start"'*) echo '\#(started)' ;;
          *'"type":"stop"'*) \#(onStop) ;;
          *'"type":"run"'*) member case; case=$value; member file; file=$value; member result; result=$value
            \#(onRun) ;;
          *) printf '{"type":"error","id":"%s","error":"unknown"}\n' "$id" ;;
        esac
      done
      """#
    let path = "\(folder)/engine-\(UUID().uuidString).sh"
    try script.write(toFile: path, atomically: true, encoding: .utf8)
    return "exec sh '\(path)'"
  }

  /// Holds the engine to some cases.
  func conform(
    onRun: String, started: String = Self.claim, onStop: String = Self.stop, filter: String = Self.caseText,
    _ options: String...
  ) throws -> (status: Int32, output: String, errors: String) {
    let command = try command(onRun: onRun, started: started, onStop: onStop)
    return try oracle(["conform", "--engine", command, "--golden", golden, "--filter", filter] + options)
  }

  /// Writes a result file that an answer can be copied from.
  func prepare(_ name: String, _ tensors: [String: StoredTensor], group: String? = nil) throws {
    try HDF5Writer.write("\(folder)/\(name)") { writer in
      if let group { try writer.group(group) }
      for (name, tensor) in tensors { try writer.write(tensor, at: name) }
    }
  }

  /// A golden folder that holds the cases of `sinkhorn` alone: reading the whole manifest takes longer than most engines
  /// here live.
  var golden: String { folder + "/golden" }

  /// Makes the golden folder.
  func prepareGolden() throws {
    let bundled = URL(fileURLWithPath: GoldenLibrary.bundledDirectory)
    for file in Self.smallManifest.files {
      let copy = URL(fileURLWithPath: "\(golden)/\(file)")
      try FileManager.default.createDirectory(
        at: copy.deletingLastPathComponent(), withIntermediateDirectories: true)
      try FileManager.default.copyItem(at: bundled.appendingPathComponent(file), to: copy)
    }
    try Self.smallManifest.data.write(to: URL(fileURLWithPath: golden + "/manifest.json"))
  }

  private static let smallManifest: (data: Data, files: [String]) = {
    let url = URL(fileURLWithPath: GoldenLibrary.bundledDirectory + "/manifest.json")
    guard let data = try? Data(contentsOf: url),
      var manifest = try? JSONSerialization.jsonObject(with: data) as? [String: Any],
      let all = manifest["cases"] as? [[String: Any]], let equations = manifest["equations"] as? [[String: Any]]
    else { return (Data(), []) }
    let cases = all.filter { $0["operation"] as? String == "sinkhorn" }
    let covered = Set(cases.flatMap { $0["equations"] as? [String] ?? [] })
    manifest["cases"] = cases
    manifest["case_count"] = cases.count
    manifest["equations"] = equations.filter { covered.contains($0["id"] as? String ?? "") }
    return (
      (try? JSONSerialization.data(withJSONObject: manifest)) ?? Data(), cases.compactMap { $0["file"] as? String }
    )
  }()

  /// What the one case expects.
  func expected() throws -> StoredTensor {
    let library = try GoldenLibrary(directory: golden)
    let entry = try #require(library.manifest.cases.first { $0.id.contains(Self.caseText) })
    return try #require(try library.load(entry).expected["combination"])
  }
}

/// Runs a test body with a folder for engines, in which are a golden folder, and `good.h5`, the right result of the one case.
func withShellEngines(_ body: (ShellEngine) throws -> Void) throws {
  try withTemporaryFolder { folder in
    let engines = ShellEngine(folder: folder)
    try engines.prepareGolden()
    try engines.prepare("good.h5", ["combination": engines.expected()])
    try body(engines)
  }
}

extension JSONDecoder {
  /// A report that was written by `--json`.
  static func report(_ text: String) throws -> ConformanceReport {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return try decoder.decode(ConformanceReport.self, from: Data(text.utf8))
  }
}
