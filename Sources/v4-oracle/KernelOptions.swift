import ArgumentParser
import DeepSeekV4
import FastKernels
import Tensors

/// What the steps run on.
struct KernelOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What the steps run on: reference or fast.",
      discussion: "The fast kernels compute on the float path; where numerics round inside a step, that step is slow."))
  var kernels: Choice = .reference

  @Option(
    help: ArgumentHelp(
      "Threads of the fast kernels; default: all cores.", discussion: "Their number changes nothing but the time.",
      valueName: "count"))
  var threads: Int?

  @Option(
    help: ArgumentHelp(
      "The instruction set of the fast kernels: \(InstructionSet.available.map(\.name).joined(separator: ", ")).",
      discussion: "Default: the first, which is the best one of this machine.", valueName: "name"))
  var instructionSet: String?

  enum Choice: String, ExpressibleByArgument, CaseIterable { case reference, fast }

  /// The kernels that were asked for; nil for the slow path. With kernels the process keeps the memory that it frees.
  ///
  /// - Throws: `InputError` if there is no such instruction set, for less than one thread, and for options of fast kernels
  ///   without them.
  func set() throws(InputError) -> KernelSet? {
    guard kernels == .fast else {
      guard threads == nil, instructionSet == nil else {
        throw InputError("kernels", "--threads and --instruction-set belong to --kernels fast")
      }
      return nil
    }
    var chosen = InstructionSet.best
    if let instructionSet {
      guard let named = InstructionSet.available.first(where: { $0.name == instructionSet }) else {
        let names = InstructionSet.available.map(\.name).joined(separator: ", ")
        throw InputError("kernels", "this machine has no instruction set '\(instructionSet)': it has \(names)")
      }
      chosen = named
    }
    ProcessMemory.keepFreed()
    return try KernelSet(chosen, threads: threads)
  }

  /// The same for a path.
  ///
  /// - Throws: `InputError` for fast kernels on the path in Double, too.
  func set(on precision: ModelOptions.Precision) throws(InputError) -> KernelSet? {
    let set = try set()
    guard set == nil || precision == .float else {
      throw InputError("kernels", "fast kernels compute on the float path only")
    }
    return set
  }
}
