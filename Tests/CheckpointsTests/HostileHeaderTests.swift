import Checkpoints
import Foundation
import TestSupport
import Testing

/// Headers that are damaged, or made to harm: each fault in its sentence.
@Suite struct HostileHeaderTests {
  static let a = #""a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#
  static let b = #""b":{"dtype":"U8","shape":[2,4],"data_offsets":[8,16]}"#

  /// The changed text, what it becomes, and the fault. The file has 16 bytes of data.
  @Test(arguments: [
    (#""dtype":"F32""#, #""dtype":"F8_E5M2""#, "'a' has the dtype 'F8_E5M2', which is not supported"),
    (#""dtype":"F32""#, #""dtype":"F4""#, "'a' has the dtype 'F4', which is not supported"),
    (#""dtype":"F32""#, #""dtype":"F64""#, "'a' needs 16 bytes for F64 [2], its data_offsets span 8"),
    (#""shape":[2],"#, #""shape":[3],"#, "'a' needs 12 bytes for F32 [3], its data_offsets span 8"),
    (
      #""shape":[2],"#, #""shape":[4294967296,4294967296],"#,
      "'a' has the shape [4294967296, 4294967296], more than can be counted"
    ),
    (
      #""shape":[2],"#, #""shape":[2305843009213693953],"#,
      "'a' has the shape [2305843009213693953], more than can be counted"
    ),
    (
      #""shape":[2],"#, #""shape":[4611686018427387904,0],"#,
      "'a' needs 0 bytes for F32 [4611686018427387904, 0], its data_offsets span 8"
    ),
    ("[0,8]", "[0,17]", "'a' has the data_offsets 0, 17, not a range of the 16 data bytes"),
    ("[0,8]", "[8,0]", "'a' has the data_offsets 8, 0, not a range of the 16 data bytes"),
    (
      "[0,8]", "[9223372036854775807,9223372036854775807]",
      "'a' has the data_offsets 9223372036854775807, 9223372036854775807, not a range of the 16 data bytes"
    ),
    ("[0,8]", "[8,16]", "8 bytes between the header and 'a' belong to no tensor; 'b' overlaps 'a'"),
    ("[8,16]", "[7,15]", "'b' overlaps 'a'; 1 bytes at the end belong to no tensor"),
    (
      #""shape":[2,4],"data_offsets":[8,16]"#, #""shape":[7],"data_offsets":[9,16]"#,
      "1 bytes between 'a' and 'b' belong to no tensor"
    ),
    (#""b""#, #""a""#, "'a' occurs twice"),
    (#""b""#, #""\u0061""#, "'a' occurs twice"),
    (#""dtype":"F32","#, "", "'a' lacks one of dtype, shape and data_offsets with two numbers"),
    (#","data_offsets":[0,8]"#, "", "'a' lacks one of dtype, shape and data_offsets with two numbers"),
    ("[0,8]", "[8]", "'a' lacks one of dtype, shape and data_offsets with two numbers"),
    (#""dtype":"F32","#, #""dtype":"F32","dtype":"F32","#, "'a' has the key 'dtype' twice, or should not have it"),
    (
      #""dtype":"F32","#, #""dtype":"F32","x":[{"y":null},-1.5e3],"#, "'a' has the key 'x' twice, or should not have it"
    ),
    (#"{"a""#, #"{"__metadata__":{},"__metadata__":{},"a""#, "__metadata__ occurs twice"),
  ])
  func faults(_ old: String, _ new: String, _ problem: String) throws {
    try expect(changing(old, new), problem)
  }

  @Test(arguments: [
    ("[0,8]", "[0,8,8]", "at most 2 numbers at byte 52"),
    ("[0,8]", "[-0,8]", "a whole number, not negative at byte 48"),
    ("[0,8]", "[0,08]", "a whole number, not negative at byte 50"),
    ("[0,8]", "[0,8.0]", "a comma or the end of a list of whole numbers at byte 51"),
    ("[0,8]", "[0,9223372036854775808]", "a number below 2^63 at byte 68"),
    ("[0,8]", "8", "a list of whole numbers at byte 47"),
    ("\"F32\"", "5", "a string at byte 14"), ("\"a\":{", "\"a\":[{", "an object at byte 5"),
    ("\"a\":{", "\"a\" {", "a colon at byte 5"),
    ("\"a\":{", "\"__metadata__\":{\"k\":1},\"a\":{", "a string at byte 21"),
    ("[8,16]}}", "[8,16]}", "a comma or the end of an object at byte 108"),
    ("[8,16]}}", "[8,16]}}x", "the end at byte 109"),
    ("[8,16]}}", "[8,16]}},", "the end at byte 109"), ("{\"a\"", " {\"a\"", "an object at byte 0"),
    ("\"b\"", "\"b", "a colon at byte 59"), ("\"b\"", "\"\\ud800\"", "a string in UTF-8 at byte 54"),
    ("\"b\"", "\"\t\"", "the end of a string at byte 55"), ("[2,4]", "[2,]", "a whole number, not negative at byte 83"),
    ("[2,4]", "[" + String(repeating: "1,", count: 32) + "8]", "at most 32 numbers at byte 145"),
    ("\"b\"", "\"" + String(repeating: "b", count: 4097) + "\"", "at most 4096 bytes of text at byte 54"),
  ])
  func damagedJSON(_ old: String, _ new: String, _ expected: String) throws {
    try expect(changing(old, new), "the header is damaged: expected \(expected) of the JSON")
  }

  @Test func namesAreUTF8() throws {
    var file = rawFile(#"{"??":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#)
    file[10] = 0xC3
    file[11] = 0x28
    try expect(file, "the header is damaged: expected a string in UTF-8 at byte 1 of the JSON")
  }

  @Test func sizesOfTheHeader() throws {
    let size = { (bytes: Int, claim: Int) in
      "the header may have 100000000 bytes and must fit the \(bytes) bytes of the file, it claims \(claim)"
    }
    try expect(Data(), "a safetensors file has at least 8 bytes, this one has 0")
    try expect(Data([2, 0, 0, 0, 0, 0, 0]), "a safetensors file has at least 8 bytes, this one has 7")
    try expect(Data([0, 0, 0, 0, 0, 0, 0, 0]), "the header is damaged: expected an object at byte 0 of the JSON")
    try expect(rawFile("{}").dropLast(), size(9, 2))
    try expect(
      Data(Array(repeating: 0xFF, count: 8)),
      "the header may have 100000000 bytes and must fit the 8 bytes of the file, it claims 18446744073709551615")
    try withTemporaryFolder { folder in
      // A hole of 200 MB on disk: the limit holds even where the file is long enough.
      let path = try put(rawFile("{}"), in: folder)
      let handle = try #require(FileHandle(forWritingAtPath: path))
      try handle.truncate(atOffset: 200_000_000)
      try handle.seek(toOffset: 0)
      try handle.write(contentsOf: Data([1, 0xE1, 0xF5, 0x05, 0, 0, 0, 0]))
      #expect(throws: CheckpointError(path, size(200_000_000, 100_000_001))) { try SafetensorsFile(path) }
    }
  }

  @Test func listsTenFaultsAndTheirNumber() throws {
    let entries = (0..<25).map { #""t\#($0)":{"dtype":"F4","shape":[],"data_offsets":[0,0]}"# }
    let told = (0..<10).map { "'t\($0)' has the dtype 'F4', which is not supported" }
    try expect(
      rawFile("{\(entries.joined(separator: ","))}"), told.joined(separator: "; ") + "; and 15 more (25 faults)")
  }

  /// A name may be anything, but an error stays a sentence.
  @Test func longAndStrangeNamesAreShortenedInErrors() throws {
    let name = "\\n\\u001b[31m" + String(repeating: "x", count: 200)
    try expect(
      rawFile(#"{"\#(name)":{"dtype":"F4","shape":[],"data_offsets":[0,0]}}"#),
      "'??[31m\(String(repeating: "x", count: 94))…' has the dtype 'F4', which is not supported")
  }

  @Test func refusesWhatIsNoPlainFile() throws {
    try withTemporaryFolder { folder in
      #expect(throws: CheckpointError("x", "is not a plain file")) { try SafetensorsFile(folder, name: "x") }
      #expect(mkfifo(folder + "/pipe", 0o600) == 0)
      #expect(throws: CheckpointError("x", "is not a plain file")) { try SafetensorsFile(folder + "/pipe", name: "x") }
      #expect(throws: CheckpointError("x", "cannot be opened: No such file or directory")) {
        try SafetensorsFile(folder + "/none", name: "x")
      }
    }
  }

  @Test func emptyFilesAndTensorsAreFine() throws {
    try withTemporaryFolder { folder in
      #expect(try SafetensorsFile(put(rawFile("{}"), in: folder)).tensors == [])
      let empty = #"{"e":{"dtype":"F32","shape":[0,3],"data_offsets":[8,8]},\#(Self.a)}  "#
      let file = try SafetensorsFile(put(rawFile(empty, data: Array(repeating: 0, count: 8)), in: folder))
      #expect(try file.reals("e", as: Float.self).shape == [0, 3])
    }
  }

  private func changing(_ old: String, _ new: String) throws -> Data {
    let header = "{\(Self.a),\(Self.b)}"
    let range = try #require(header.range(of: old))
    return rawFile(header.replacingCharacters(in: range, with: new), data: Array(repeating: 0, count: 16))
  }

  private func expect(_ file: Data, _ problem: String) throws {
    try withTemporaryFolder { folder in
      let path = try put(file, in: folder)
      #expect(throws: CheckpointError("hostile", problem)) { try SafetensorsFile(path, name: "hostile") }
    }
  }
}
