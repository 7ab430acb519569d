import ArgumentParser
import Conformance
import Foundation

struct EngineCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "engine",
    abstract: "Be an engine: answer the messages of the engine protocol.",
    discussion: """
      The slow path, or with --kernels fast the fast kernels, as an engine for v4-oracle conform, on standard input and output; docs/engine-protocol.md has the \
      protocol. With --bug a known bug is in it, to see what the oracle says of it.
      """)

  @Option(help: "Compute in float or double, and claim fp32 or fp64.")
  var precision: VerificationPath = .float

  @OptionGroup var kernels: KernelOptions

  @Option(help: ArgumentHelp("Plant a known bug; v4-oracle bugs lists them.", valueName: "id"))
  var bug: String?

  func run() throws {
    let engine = try ReferenceEngine(path: precision, kernels: kernels.set(), bug: bug)
    try EngineServer(engine).run(read: { readLine() }, write: FileHandle.standardOutput.write)
  }
}
