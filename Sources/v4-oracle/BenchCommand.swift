import ArgumentParser
import Benchmarks
import Conformance
import DeepSeekV4
import FastKernels
import Foundation
import Tensors

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Time the fast kernels against the slow path and the limits of the machine.",
    discussion: """
      Each kernel at the widths of Flash and Pro: the median of its runs and their spread, which part of the machine's \
      limit it reaches (multiply-adds in registers, or a copy of memory, measured in the same run), and how many times \
      as fast as the slow path it is. The slow path runs once, at fewer tokens where it would take minutes. \
      With --serve it times what it is asked for on standard input; docs/performance.md has the messages.
      """)

  @Option(
    name: .customLong("case"),
    help: ArgumentHelp("Only this kernel. May be repeated.", valueName: "id"))
  var cases: [String] = []

  @Option(help: ArgumentHelp("Only the widths of this model: flash or pro. May be repeated.", valueName: "name"))
  var preset: [Preset] = []

  @Option(
    help: ArgumentHelp(
      "Only these numbers of tokens, separated by commas.", discussion: "Default: 1,128,512,2048.",
      valueName: "list"))
  var tokens: String?

  @Option(help: ArgumentHelp("How many runs of each.", valueName: "count"))
  var repeats: Int = 7

  @Option(help: ArgumentHelp("Threads; default: all cores.", valueName: "count"))
  var threads: Int?

  @Flag(help: "Answer requests on standard input, at the widths of Flash or of one --preset.")
  var serve = false

  @Option(
    help: ArgumentHelp("Write the results as JSON; - for standard output instead of the table.", valueName: "file"))
  var json: String?

  enum Preset: String, ExpressibleByArgument, CaseIterable {
    case flash, pro

    var configuration: ModelConfiguration { self == .flash ? .flash : .pro }
  }

  func run() throws {
    ProcessMemory.keepFreed()
    let kernels = try KernelSet(threads: threads)
    guard !serve else {
      guard cases.isEmpty, tokens == nil, json == nil, preset.count <= 1 else {
        throw InputError("bench", "--serve takes no --case, --tokens or --json, and one --preset at most")
      }
      var server = BenchmarkServer((preset.first ?? .flash).configuration, kernels: kernels)
      return try server.run(read: { readLine() }, write: FileHandle.standardOutput.write)
    }
    guard repeats >= 1 else { throw InputError("bench", "--repeats must be at least 1, got \(repeats)") }
    let benchmarks = try cases.isEmpty ? Benchmark.all : cases.map { try Benchmark.named($0) }
    let report = try BenchmarkReport(
      benchmarks, presets: (preset.isEmpty ? Preset.allCases : preset).map { ($0.rawValue, $0.configuration) },
      kernels: kernels, sizes: sizes(), repeats: repeats
    ) { done, total, next in say("bench: \(next) (\(done + 1) of \(total))") }
    if let json { try writeJSON(report, to: json) }
    if json != "-" { print(report.text) }
  }

  private func sizes() throws(InputError) -> [Int]? {
    guard let tokens else { return nil }
    var sizes: [Int] = []
    for word in tokens.split(separator: ",", omittingEmptySubsequences: false) {
      guard let size = Int(word), size >= 1 else {
        throw InputError("bench", "--tokens takes numbers from 1 on, separated by commas, got '\(word)'")
      }
      sizes.append(size)
    }
    return sizes
  }
}

extension BenchmarkReport {
  /// The table for people.
  fileprivate var text: String {
    var table = TextTable([
      ("kernel", .left), ("widths", .left), ("size", .right), ("median", .right), ("spread", .right),
      ("of the limit", .right), ("× slow path", .right),
    ])
    for row in rows {
      let (fastest, slowest) = (row.times.seconds.min() ?? 0, row.times.seconds.max() ?? 0)
      let limit = row.times.work.bound == .compute ? "multiply-adds" : "copy"
      table.append([
        row.title, row.preset, "\(row.times.size) \(row.times.unit)", milliseconds(row.times.median),
        "\(milliseconds(fastest)) – \(milliseconds(slowest))", "\(percent(row.shareOfLimit)) \(limit)",
        String(format: "%.0f", row.timesSlowPath)
          + (row.slowPath.size == row.times.size ? "" : " (at \(row.slowPath.size))"),
      ])
    }
    return """
      \(instructionSet), \(threads) thread\(threads == 1 ? "" : "s"). Limits: \(giga(limits.fmaPerSecondAll)) GFLOP/s of \
      multiply-adds (\(giga(limits.fmaPerSecondOne)) on one thread), \(giga(limits.copyBytesPerSecondAll)) GB/s read and \
      written by memcpy (\(giga(limits.copyBytesPerSecondOne)) on one thread), \
      \(giga(limits.streamedCopyBytesPerSecondAll)) by a copy past the caches.

      \(table.text)
      """
  }

  private func milliseconds(_ seconds: Double) -> String {
    String(format: seconds < 0.01 ? "%.3f ms" : seconds < 1 ? "%.1f ms" : "%.0f ms", seconds * 1000)
  }

  private func percent(_ share: Double) -> String { String(format: "%.0f %%", share * 100) }

  private func giga(_ number: Double) -> String { String(format: "%.0f", number / 1e9) }
}
