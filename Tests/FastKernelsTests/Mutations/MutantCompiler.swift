import CKernels
import Foundation
import TestSupport

@testable import FastKernels

/// Compiles the kernels of one instruction set anew, with an error in them or as they are.
struct MutantCompiler {
  private let clang: String
  /// Sources/CKernels of this checkout.
  static let sources = (0..<4).reduce(URL(fileURLWithPath: #filePath)) { path, _ in path.deletingLastPathComponent() }
    .appendingPathComponent("Sources/CKernels")
  private let instructionSet: InstructionSet
  private let flags: String

  /// - Parameters:
  ///   - instructionSet: whose file is compiled
  ///   - flags: of the compiler, more than there are
  /// - Throws: `MutantProblem` if there is no clang.
  init(_ instructionSet: InstructionSet, flags: String = "") throws {
    self.instructionSet = instructionSet
    self.flags = flags
    clang = try Self.findClang()
  }

  /// Calls a body with the kernels.
  ///
  /// - Throws: `MutantProblem` if the text of the mutation does not stand in its file exactly once, or the kernels do not
  ///   compile.
  func withKernels<Result>(_ mutation: Mutation?, _ body: (KernelSet) throws -> Result) throws -> Result {
    try withTemporaryFolder { folder in
      let copy = URL(fileURLWithPath: folder).appendingPathComponent("CKernels")
      try FileManager.default.copyItem(at: Self.sources, to: copy)
      if let mutation { try plant(mutation, in: copy) }
      let library = folder + "/kernels.so"
      let name = instructionSet.name
      let compiled = try shell(
        """
        '\(clang)' -O1 \(flags) -shared -fPIC -I'\(copy.path)/include' '\(copy.path)/\(name).c' -o '\(library)' -lm
        """)
      guard compiled.status == 0 else {
        throw MutantProblem("\(mutation?.description ?? "as they are"): does not compile:\n\(compiled.errors)")
      }
      guard let handle = dlopen(library, RTLD_NOW | RTLD_LOCAL) else {
        throw MutantProblem("\(library): \(dlerror().map { String(cString: $0) } ?? "does not open")")
      }
      defer { dlclose(handle) }
      guard let table = dlsym(handle, "v4_kernels_\(name)") else {
        throw MutantProblem("\(name).c defines no v4_kernels_\(name)")
      }
      let kernels = UnsafeRawPointer(table).assumingMemoryBound(to: v4_kernels.self)
      return try body(KernelSet(InstructionSet(kernels: kernels), threads: 1))
    }
  }

  private func plant(_ mutation: Mutation, in folder: URL) throws {
    let file = folder.appendingPathComponent(mutation.file)
    try mutation.planted(in: String(contentsOf: file, encoding: .utf8)).write(
      to: file, atomically: true, encoding: .utf8)
  }

  /// Beside `swift`, where toolchains have it, or anywhere in PATH.
  private static func findClang() throws -> String {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
    let besideSwift = folders.map { folder in
      URL(fileURLWithPath: folder + "/swift").resolvingSymlinksInPath().deletingLastPathComponent().path
    }
    for folder in besideSwift + folders where FileManager.default.isExecutableFile(atPath: folder + "/clang") {
      return folder + "/clang"
    }
    throw MutantProblem("no clang beside swift or in PATH: planted errors cannot be compiled")
  }
}

/// One sentence.
struct MutantProblem: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
