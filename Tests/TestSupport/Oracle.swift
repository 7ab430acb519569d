import Foundation

/// Runs the command as a person does.
public func oracle(_ arguments: String...) throws -> (status: Int32, output: String, errors: String) {
  try oracle(arguments)
}

/// The same.
public func oracle(_ arguments: [String]) throws -> (status: Int32, output: String, errors: String) {
  try run(executable(), arguments)
}

/// Runs lines of shell.
public func shell(_ lines: String) throws -> (status: Int32, output: String, errors: String) {
  try run(URL(fileURLWithPath: "/bin/sh"), ["-c", lines])
}

/// The command line of the own engine, for `/bin/sh`.
public func ownEngine(_ options: String = "") throws -> String { "'\(try executable().path)' engine \(options)" }

private func run(
  _ program: URL, _ arguments: [String]
) throws -> (status: Int32, output: String, errors: String) {
  try withTemporaryFolder { folder in
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    // To files, not pipes: a pipe that nobody drains while the other one fills would block.
    let (output, errors) = (URL(fileURLWithPath: folder + "/output"), URL(fileURLWithPath: folder + "/errors"))
    for url in [output, errors] { try Data().write(to: url) }
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
    process.waitUntilExit()
    return (
      process.terminationStatus, try String(contentsOf: output, encoding: .utf8),
      try String(contentsOf: errors, encoding: .utf8)
    )
  }
}

/// The command lies beside the test bundle.
private func executable() throws -> URL {
  #if os(macOS)
    let bundles = Bundle.allBundles.map(\.bundleURL).filter { $0.pathExtension == "xctest" }
  #else
    let bundles = [URL(fileURLWithPath: CommandLine.arguments[0])]
  #endif
  guard let bundle = bundles.first else { throw CocoaError(.fileNoSuchFile) }
  return bundle.deletingLastPathComponent().appendingPathComponent("v4-oracle")
}
