import Foundation
import GoldenTensors
import TestSupport
import Testing

/// What `conform --validate` finds in harnesses.
@Suite struct HarnessValidationTests {
  /// Answers from the golden folder; refuses what is no HDF5 file, as a real harness would.
  private static let cheat = """
    case "$line" in *no-such-operation*) [ -z "$any" ] && case=none ;; esac
            if [ "$(head -c 4 "$file" 2>/dev/null | tail -c 3)" != HDF ] || [ ! -e "$files/$case.h5" ]; then
              printf '{"type":"error","id":"%s","error":"cannot be read"}\\n' "$id"
            else cp "$files/$case.h5" "$result"; answer; fi
    """
  private static let claim = ShellEngine.claim(with: #""operations":["sinkhorn"]"#)

  @Test func answersFromTheGoldenFolderAreNoticed() throws {
    let run = try validate(Self.cheat)
    #expect(run.status == 1)
    #expect(failedChecks(run.output) == ["its results depend on the inputs"], "\(run.output)")
    #expect(run.output.contains("stays the same when the inputs are put in reverse order"))
  }

  @Test(arguments: [
    (#"[ "$id" = unreadable ] && id=1; CHEAT"#, "answers a missing case file with error"),
    (#"case "$id" in *quoted*) id=7 ;; esac; CHEAT"#, "echoes ids"),
    (#"case "$result" in *another*) result="$files/r.h5" ;; esac; CHEAT"#, "writes where it is told"),
    (#"case "$line" in *later*) exit 1 ;; esac; CHEAT"#, "ignores members that it does not know"),
    (#"[ -e "$file" ] || exit 1; CHEAT"#, "answers a missing case file with error"),
    (
      #"[ -s "$file" ] || case=no; [ -s "$file" ] || { answer; continue; }; CHEAT"#,
      "answers an empty case file with error"
    ),
    (#"printf '{"type":"unsupported","id":"%s","reason":"no"}\n' "$id"; continue; CHEAT"#, "answers a case"),
    ("any=operation; CHEAT", "refuses an unknown operation"),
    (#"n=$((n + 1)); [ $n = 9 ] && case=other; CHEAT"#, "gives the same bits again"),
  ])
  func eachCheckCanFail(onRun: String, check: String) throws {
    let run = try validate(onRun.replacingOccurrences(of: "CHEAT", with: Self.cheat))
    #expect(run.status == 1)
    #expect(failedChecks(run.output).contains(check), "\(run.output)")
  }

  @Test func anUnknownTypeAndABadStopAreNoticed() throws {
    try withShellEngines { engines in
      let script = try engines.command(onRun: "answer", started: Self.claim, onStop: "exit 1")
        .dropFirst("exec sh '".count).dropLast()
      let text = try String(contentsOfFile: String(script), encoding: .utf8)
        .replacingOccurrences(of: #"{"type":"error","id":"%s","error":"unknown"}"#, with: #"{"type":"ok","id":"%s"}"#)
      try text.write(toFile: String(script), atomically: true, encoding: .utf8)
      let run = try oracle("conform", "--engine", "sh '\(script)'", "--validate", "--golden", engines.golden)
      #expect(run.status == 1)
      let failed = failedChecks(run.output)
      #expect(failed.contains("answers an unknown type of message with error"), "\(run.output)")
      #expect(failed.contains("stops with exit code 0"), "\(run.output)")
    }
  }

  private func validate(_ onRun: String) throws -> (status: Int32, output: String, errors: String) {
    try withTemporaryFolder { folder in
      let engines = ShellEngine(folder: folder)
      try engines.prepareGolden()
      let library = try GoldenLibrary(directory: engines.golden)
      for entry in library.manifest.cases where entry.expectedError == nil {
        let path = "\(folder)/\(entry.id).h5"
        try FileManager.default.createDirectory(
          atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try engines.prepare("\(entry.id).h5", library.load(entry).expected)
      }
      try engines.prepare("other.h5", ["combination": .float64(.init(repeating: 0, shape: [1]))])
      let command = try engines.command(onRun: onRun, started: Self.claim)
      return try oracle("conform", "--engine", command, "--validate", "--golden", engines.golden)
    }
  }

  private func failedChecks(_ output: String) -> [String] {
    output.split(separator: "\n").filter { $0.hasPrefix("FAIL  ") }.map {
      String($0.dropFirst("FAIL  ".count).prefix { $0 != ":" })
    }
  }
}
