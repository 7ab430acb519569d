import ArgumentParser
import DeepSeekV4
import FastKernels
import RotaryEmbedding
import Taps
import Tensors

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Decode tokens after a prompt, for demonstration.",
    discussion: "Prints the ids of the prompt and of the decoded tokens. Greedy unless a temperature is given.")

  @OptionGroup var model: ModelOptions
  @OptionGroup var tokens: TokenOptions
  @OptionGroup var kernels: KernelOptions

  @Option(help: ArgumentHelp("How many tokens to decode.", valueName: "count"))
  var count: Int = 16

  @Option(help: "Sample with this temperature instead of taking the best token.")
  var temperature: Double?

  @Option(help: "The seed of sampling.")
  var seed: Int = 0

  func run() throws {
    switch model.precision {
    case .float: try run(as: Float.self)
    case .double: try run(as: Double.self)
    }
  }

  private func run<Scalar: RealScalar>(as scalar: Scalar.Type) throws {
    guard count >= 1 else { throw InputError("generate", "--count must be at least 1, got \(count)") }
    let steps = try kernels.set(on: model.precision).map(StepSet.fast) ?? StepSet()
    var ids = try tokens.ids()
    let checkpoint = try OpenCheckpoint(model.checkpoint)
    try checkpoint.require(ids, generating: count)
    checkpoint.warn(of: model.numerics)
    let model: LanguageModel<Scalar> = try checkpoint.model(
      scalar, angles: model.angles ?? .standard(for: scalar), steps: steps)
    let hooks = Hooks(numerics: Numerics(self.model.numerics))
    let sampling = temperature.map { Sampling.seeded(seed, temperature: $0) } ?? .greedy
    var state = model.emptyState
    var next = ids
    for _ in 0..<count {
      let logits = try model(next, state: &state, hooks: hooks).logits
      let token = try sampling.token(logits.slice(logits.shape[0] - 1), position: state.position)
      ids.append(token)
      next = [token]
    }
    print(ids.map { "\($0)" }.joined(separator: " "))
  }
}
