import Dispatch
import Foundation
import Testing

@testable import FastKernels

/// Checks that cannot fail are worth nothing: each planted error has to be found.
@Suite struct PlantedErrorTests {
  /// Twelve of them; with V4_ALL_MUTATIONS in the environment all.
  @Test func everyPlantedErrorIsFound() throws {
    let environment = ProcessInfo.processInfo.environment
    let instructionSet = try Self.instructionSet(environment["V4_MUTATED_KERNELS"])
    let compiler = try MutantCompiler(instructionSet)
    let chosen = environment["V4_ALL_MUTATIONS"] == nil ? Mutation.sample : Mutation.all
    let mutations = chosen.filter { $0.leastLanes <= instructionSet.lanes }
    for mutation in chosen where mutation.leastLanes > instructionSet.lanes {
      print("not planted in \(instructionSet), whose \(instructionSet.lanes) lanes it changes nothing in: \(mutation)")
    }
    let verdicts = Verdicts(count: mutations.count)
    DispatchQueue.concurrentPerform(iterations: mutations.count) { index in
      verdicts[index] = Result {
        try compiler.withKernels(mutations[index]) { try PropertyChecks.all($0, firstOnly: true) }
      }
    }
    var survivors: [String] = []
    for (index, mutation) in mutations.enumerated() {
      let failures = try verdicts[index].get()
      if failures.isEmpty { survivors.append("\(mutation)") }
    }
    print(
      "planted errors in \(instructionSet): \(mutations.count) of \(Mutation.all.count), \(survivors.count) not found")
    #expect(survivors == [])
  }

  /// Without an error nothing is found. The compiler flags in V4_KERNEL_FLAGS may make it watch what the kernels do.
  @Test(arguments: InstructionSet.available) func nothingIsFoundInKernelsAsTheyAre(
    _ instructionSet: InstructionSet
  ) throws {
    let flags = ProcessInfo.processInfo.environment["V4_KERNEL_FLAGS"] ?? ""
    let compiler = try MutantCompiler(instructionSet, flags: flags)
    let failures = try compiler.withKernels(nil) { try PropertyChecks.all($0) }
    #expect(failures == [])
  }

  /// Where a text has changed, its error was not planted: that is an error of the list.
  @Test(arguments: Mutation.all) func itsTextStandsInItsFileOnce(_ mutation: Mutation) throws {
    let file = MutantCompiler.sources.appendingPathComponent(mutation.file)
    let contents = try String(contentsOf: file, encoding: .utf8)
    let planted = try mutation.planted(in: contents)
    #expect(planted != contents)
  }

  @Test func thereAreErrorsInEveryFile() throws {
    let texts = Mutation.all.map { $0.file + $0.text + $0.replacement }
    #expect(Set(texts).count == texts.count)
    #expect(Mutation.all.count >= 36)
    #expect(Mutation.sample.count == 12)
    #expect(Set(Mutation.sample.map(\.file)).count >= 6)
  }

  /// The best one unless another one is asked for by name.
  private static func instructionSet(_ name: String?) throws -> InstructionSet {
    guard let name else { return .best }
    guard let found = InstructionSet.available.first(where: { $0.name == name }) else {
      throw MutantProblem("V4_MUTATED_KERNELS is \(name), which this machine has not")
    }
    return found
  }
}

/// What was found, as threads find it.
private final class Verdicts: @unchecked Sendable {
  private var verdicts: [Result<[String], any Error>]
  private let lock = NSLock()

  init(count: Int) {
    verdicts = Array(repeating: .failure(MutantProblem("was not judged")), count: count)
  }

  subscript(index: Int) -> Result<[String], any Error> {
    get { lock.withLock { verdicts[index] } }
    set { lock.withLock { verdicts[index] = newValue } }
  }
}
