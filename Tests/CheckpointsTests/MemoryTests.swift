import Checkpoints
import Foundation
import TestSupport
import Testing

/// A small file must not make this program allocate much: never more than its size and 16 MiB.
@Suite struct MemoryTests {
  /// 20 MB each, made to cost as much as they can. The peak of a process never falls, so each runs in its own.
  @Test func manyTensors() async {
    await #expect(processExitsWith: .success) {
      try exitUnlessBounded("the header describes more tensors than a file of") { number in
        #""\#(number)":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"#
      }
    }
  }

  @Test func manyAxes() async {
    await #expect(processExitsWith: .success) {
      try exitUnlessBounded("expected at most 32 numbers", before: #""x":{"dtype":"U8","shape":["#) { _ in
        "0,0,0,0,0,0,"
      }
    }
  }

  @Test func manyKeys() async {
    await #expect(processExitsWith: .success) {
      try exitUnlessBounded("faults)", before: #""x":{"#, after: #""":0}}"#) { #""\#($0)":0,"# }
    }
  }

  @Test func muchMetadata() async {
    await #expect(processExitsWith: .success) {
      try exitUnlessBounded(nil, before: #""__metadata__":{"#, after: #""":""}}"#) { #""\#($0)":"","# }
    }
  }

  @Test func oneLongName() async {
    await #expect(processExitsWith: .success) {
      try exitUnlessBounded("expected at most 4096 bytes of text", before: "\"", after: "\":{}}") { _ in "\\u0041x" }
    }
  }

  @Test func deepNesting() async {
    await #expect(processExitsWith: .success) {
      try exitUnlessBounded("expected at most 16 levels", before: #""x":{"y":"#) { _ in "[[[[[{\"\":" }
    }
  }

  @Test func manyFaults() async {
    await #expect(processExitsWith: .success) {
      try exitUnlessBounded("faults)", after: #""":{}}"#) { #""\#($0)":{},"# }
    }
  }

  @Test func anIndexOfManyTensors() async {
    await #expect(processExitsWith: .success) {
      try withTemporaryFolder { folder in
        try put(rawFile("{}"), in: folder)
        let path = folder + "/model.safetensors.index.json"
        try write(path, before: #"{"weight_map":{"#, after: "}}") { #""\#($0)":"x.safetensors","# }
        try exitUnlessBounded("names more tensors than the files of its folder should have", bytes: 20_000_000) {
          _ = try Checkpoint(folder)
        }
      }
    }
  }
}

/// Reading some rows must not touch the others.
@Suite struct LazinessTests {
  /// 2 GB on paper, nothing on disk: the last row costs a block of 128 rows at most.
  @Test func aRowOfAHugeMatrixCostsARow() async {
    await #expect(processExitsWith: .success) {
      try withTemporaryFolder { folder in
        let header = #"""
          {"q.weight":{"dtype":"F8_E4M3","shape":[262144,4096],"data_offsets":[0,1073741824]},
          "q.scale":{"dtype":"F8_E8M0","shape":[2048,32],"data_offsets":[1073741824,1073807360]},
          "p.weight":{"dtype":"BF16","shape":[131072,4096],"data_offsets":[1073807360,2147549184]}}
          """#
        let path = try put(rawFile(header), in: folder)
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.truncate(atOffset: UInt64(8 + header.utf8.count) + 2_147_549_184)
        try exitUnlessBounded(nil, bytes: 0) {
          let checkpoint = try Checkpoint(folder)
          _ = try checkpoint.matrix("q.weight", as: Float.self, rows: 262_143..<262_144)
          _ = try checkpoint.matrix("p.weight", as: Float.self, rows: 131_071..<131_072)
        }
      }
    }
  }
}

/// Writes 20 MB of pieces between two ends, a little at a time.
private func write(_ path: String, before: String, after: String, _ piece: (Int) -> String) throws {
  try Data(before.utf8).write(to: URL(fileURLWithPath: path))
  let handle = try #require(FileHandle(forWritingAtPath: path))
  try handle.seekToEnd()
  var number = 0
  while try handle.offset() < 20_000_000 {
    do {
      try handle.write(contentsOf: Data((number..<number + 500).map(piece).joined().utf8))
    }
    number += 500
  }
  try handle.write(contentsOf: Data(after.utf8))
  try handle.close()
}

/// Opens such a file, and ends the process with a failure if that costs too much or gives another error.
private func exitUnlessBounded(
  _ problem: String?, before: String = "", after: String = "}", _ piece: (Int) -> String
) throws {
  try withTemporaryFolder { folder in
    let path = folder + "/hostile.safetensors"
    try write(path, before: "12345678{" + before, after: after, piece)
    let size = try #require(FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
    let handle = try #require(FileHandle(forWritingAtPath: path))
    try handle.write(
      contentsOf: rawFile("").prefix(0) + withUnsafeBytes(of: UInt64(size - 8).littleEndian) { Data($0) })
    try handle.close()
    try exitUnlessBounded(problem, bytes: size) { _ = try SafetensorsFile(path) }
  }
}

private func exitUnlessBounded(_ problem: String?, bytes: Int, _ body: () throws -> Void) throws {
  let before = peakMemory()
  var thrown: String?
  do { try body() } catch let error as CheckpointError { thrown = error.problem }
  let cost = peakMemory() - before
  let asExpected = problem.map { thrown?.contains($0) == true } ?? (thrown == nil)
  // The pages of the mapped file are counted, too, though nobody allocated them.
  exit(asExpected && cost <= bytes + bytes + 16 << 20 ? EXIT_SUCCESS : EXIT_FAILURE)
}

/// The most memory that this process has held, in bytes.
private func peakMemory() -> Int {
  var usage = rusage()
  getrusage(0, &usage)  // RUSAGE_SELF, which Glibc imports as another type than it takes
  #if canImport(Darwin)
    return usage.ru_maxrss
  #else
    return usage.ru_maxrss * 1024
  #endif
}
