import Foundation
import GoldenTensors
import Tensors
import TestSupport
import Testing

/// Whatever an engine does wrong, the case fails and says so.
@Suite struct EngineMisbehaviourTests {
  @Test func theRightResultPasses() throws {
    try withShellEngines { engines in
      let run = try engines.conform(onRun: #"cp "$files/good.h5" "$result"; answer"#)
      #expect(run.status == 0, "\(run.output)\(run.errors)")
      #expect(run.output.hasPrefix("shell, 1, judged as fp32\n"))
    }
  }

  @Test(arguments: [
    ("echo oh dear >&2; exit 3", "it ended with exit code 3; standard error ends with: oh dear"),
    ("kill -9 $$", "it was ended by signal 9"),
    ("exec >&-; sleep 30", "it closed its standard input or output"),
    ("echo hello", "it wrote what is no JSON object: hello"),
    ("echo '[1]'", "it wrote what is no JSON object: [1]"),
    ("head -c 1200000 /dev/zero | tr '\\000' x; echo", "it wrote a line of more than 1048576 bytes"),
    (#"id=99; cp "$files/good.h5" "$result"; answer"#, "it answered the message '1' with the id '99'"),
    (#"echo '{"type":"result"}'"#, "it answered the message '1' with the id ''"),
    (#"echo '{"type":"done","id":"1"}'"#, "it answered with a message of type 'done'"),
    (#"echo '{"id":"1"}'"#, "it answered with a message of type ''"),
    (#"echo '{"type":"result","id":"1"}'"#, "its message of type 'result' has no text 'file'"),
    (#"echo '{"type":"unsupported","id":"1"}'"#, "its message of type 'unsupported' has no text 'reason'"),
    (#"echo '{"type":"error","id":"1","error":7}'"#, "its message of type 'error' has no text 'error'"),
    (#"printf '%s\n' '{"type":"error","id":"1","error":"too\nbig"}'"#, "it refused the input\n  it says    too big"),
    (#"result="$files/good.h5"; answer"#, "it put the result elsewhere than told: "),
    ("answer", "there is no result file where it was told to write it"),
    (#"mkdir "$result"; answer"#, "its result is no plain file"),
    (#"mkfifo "$result"; answer"#, "its result is no plain file"),
    (#"ln -s "$files/good.h5" "$result"; answer"#, "its result is no plain file"),
    (#"echo x > "$result"; answer"#, "its result file: is neither an HDF5 nor a safetensors file"),
    (#": > "$result"; answer"#, "its result file: is neither an HDF5 nor a safetensors file"),
    (#"head -c 500 "$files/good.h5" > "$result"; answer"#, "its result file: cannot be opened as HDF5"),
  ])
  func aBreachOfTheProtocolFailsTheCase(onRun: String, sentence: String) throws {
    try withShellEngines { engines in
      let run = try engines.conform(onRun: onRun)
      #expect(run.status == 1)
      #expect(run.output.contains("  problem    \(sentence)"), "\(run.output)\(run.errors)")
    }
  }

  @Test(arguments: [
    ("nan.h5", "tensor     combination: NaN or infinity in the wrong place"),
    ("off.h5", "elements are off by too much"),
    ("shape.h5", "it has shape [1], expected"),
    ("integers.h5", "it should hold float64, and does not"),
    ("bool.h5", "the tensor combination holds bool; results hold reals, int64 or int32"),
    ("empty.h5", "the expected tensor combination was not produced"),
    ("extra.h5", "the tensor more was produced, but nothing is known about it"),
    ("group.h5", "its result file has the group 'combinations'; tensors belong to the root"),
    ("bomb.h5", "its result file claims far more than is expected, at 'combination' [4000000]"),
  ])
  func aWrongResultFails(file: String, sentence: String) throws {
    try withShellEngines { engines in
      let right = try #require(try engines.expected().reals(Double.self))
      let prepared: [String: [String: StoredTensor]] = try [
        "nan.h5": ["combination": .float64(right.map { _ in .nan })],
        "off.h5": ["combination": .float64(right.map { $0 * 1.0001 })],
        "shape.h5": ["combination": .float64(Tensor(shape: [1], elements: [0]))],
        "integers.h5": ["combination": .int64(right.map { Int64($0) })],
        "bool.h5": ["combination": .bool(right.map { $0 > 0 })],
        "empty.h5": [:],
        "extra.h5": ["combination": .float64(right), "more": .float64(right)],
        "group.h5": ["combination": .float64(right)],
        "bomb.h5": ["combination": .float64(Tensor(repeating: 0, shape: [4_000_000]))],
      ]
      try engines.prepare(file, try #require(prepared[file]), group: file == "group.h5" ? "combinations" : nil)
      let run = try engines.conform(onRun: "cp \"$files/\(file)\" \"$result\"; answer")
      #expect(run.status == 1)
      #expect(run.output.contains(sentence), "\(run.output)\(run.errors)")
    }
  }

  @Test(arguments: ["sleep 30", #"sleep 2; cp "$files/good.h5" "$result"; answer"#])
  func anEngineThatIsLateFailsTheCase(onRun: String) throws {
    try withShellEngines { engines in
      let run = try engines.conform(onRun: onRun, "--timeout", "0.5")
      #expect(run.status == 1)
      #expect(run.output.contains("  problem    it did not answer in time"))
    }
  }

  @Test func afterThreeAccidentsInARowTheRunIsGivenUp() throws {
    try withShellEngines { engines in
      let run = try engines.conform(onRun: "exit 3", filter: "tiny/hyper-connections/sinkhorn")
      #expect(run.status == 1)
      #expect(run.output.ranges(of: "problem    it ended with exit code 3").count == 3)
      #expect(run.output.ranges(of: "it was not run: 3 accidents in a row; the last: it ended with").count == 3)
    }
  }

  @Test func afterAnAccidentTheEngineIsStartedAgain() throws {
    try withShellEngines { engines in
      let run = try engines.conform(
        onRun: #"case "$case" in *two-streams) cp "$files/good.h5" "$result"; answer ;; *) exit 3 ;; esac"#,
        filter: "sinkhorn-t", "--json", "-")
      #expect(run.status == 1)
      let report = try JSONDecoder.report(run.output)
      #expect(
        report.results.filter { $0.outcome == .passed }.map(\.id) == ["tiny/hyper-connections/sinkhorn-two-streams"])
    }
  }

  @Test func aWrongIDIsNoAccident() throws {
    try withShellEngines { engines in
      let run = try engines.conform(onRun: "id=x; answer", filter: "tiny/hyper-connections/sinkhorn")
      #expect(run.status == 1)
      #expect(run.output.ranges(of: "with the id 'x'").count == 6)
    }
  }

  @Test func aLineThatNobodyAskedForFailsTheNextCase() throws {
    try withShellEngines { engines in
      let run = try engines.conform(
        onRun: #"cp "$files/good.h5" "$result"; answer; answer; sleep 0.1"#, filter: "tiny/hyper-connections/sinkhorn")
      #expect(run.status == 1)
      #expect(run.output.contains("problem    before it was asked, it wrote: {") || run.output.contains("with the id"))
    }
  }

  @Test func theWholeProcessGroupIsEnded() throws {
    try withShellEngines { engines in
      let start = ContinuousClock.now
      let run = try engines.conform(onRun: #"sleep 60 & echo $! > "$files/pid"; wait"#, "--timeout", "0.5")
      // Whoever waits for the command also waits for what it has left running.
      #expect(start.duration(to: .now) < .seconds(45))
      #expect(run.output.contains("it did not answer in time"))
      let pid = try String(contentsOfFile: engines.folder + "/pid", encoding: .utf8)
      let state = try shell("ps -o stat= -p \(pid) || true").output
      #expect(state.isEmpty || state.hasPrefix("Z"), "the child still runs: \(state)")
    }
  }

  @Test(arguments: [
    ("exit 4", "FAULT  the engine was told to stop: it ended with exit code 4"),
    (#"echo '{"type":"stopped"}'; exit 5"#, "FAULT  the engine was stopped, and then it ended with exit code 5"),
    (#"echo '{"type":"bye"}'; exit 0"#, "FAULT  the engine answered stop with a message of type 'bye'"),
  ])
  func aBadEndFailsTheRun(onStop: String, sentence: String) throws {
    try withShellEngines { engines in
      let run = try engines.conform(onRun: #"cp "$files/good.h5" "$result"; answer"#, onStop: onStop)
      #expect(run.status == 1)
      #expect(run.output.contains(sentence), "\(run.output)")
    }
  }

  @Test(arguments: [
    ("{}", "it answered start with a message of type ''"),
    (#"{"type":"started"}"#, "it does not say that it speaks protocol 1"),
    (#"{"type":"started","protocol":2}"#, "it does not say that it speaks protocol 1"),
    (#"{"type":"started","protocol":1}"#, "started has no object 'engine'"),
    (#"{"type":"started","protocol":1,"engine":{"name":"a"}}"#, "in started, 'engine' has no name or no version"),
    (
      #"{"type":"started","protocol":1,"engine":{"name":"a","version":2}}"#,
      "in started, a member of 'engine' is not text"
    ),
    (
      #"{"type":"started","protocol":1,"engine":{"name":"a","version":"1"},"precision":"fp16"}"#,
      "in started, 'precision' is none of fp64, fp32, tf32, bf16, fp8-fp4"
    ),
    (ShellEngine.claim(with: #""format":"npz""#), "in started, 'format' is neither hdf5 nor safetensors"),
    (ShellEngine.claim(with: #""operations":"all""#), "in started, 'operations' is not what it should be"),
  ])
  func anEngineThatDoesNotStartProperlyIsBadInput(started: String, sentence: String) throws {
    try withShellEngines { engines in
      let run = try engines.conform(onRun: "answer", started: started)
      #expect(run.status == 2)
      #expect(run.errors == "error: the engine: when it was started: \(sentence)\n")
    }
  }

  @Test func aClassWithoutTolerancesIsRefused() throws {
    try withShellEngines { engines in
      let claim = ShellEngine.claim.replacingOccurrences(of: "fp32", with: "bf16")
      let run = try engines.conform(onRun: "answer", started: claim)
      #expect(run.status == 2)
      #expect(run.errors.contains("only fp64 and fp32 can be judged, not bf16"))
    }
  }
}
