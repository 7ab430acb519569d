import CHDF5
import Foundation
import GoldenTensors
import Tensors
import TestSupport
import Testing

/// Files that are damaged, or made to harm.
@Suite(.serialized) struct HostileFileTests {
  /// 200 truncations, each refused in one sentence with a checksum and without one.
  @Test func truncationsNeverCrash() throws {
    try withCase { original, checksum in
      var generator = SeededGenerator(seed: 22)
      try withTemporaryFolder { folder in
        let path = folder + "/damaged.h5"
        for _ in 0..<200 {
          let length = Int.random(in: 0..<original.count, using: &generator)
          try original.prefix(length).write(to: URL(fileURLWithPath: path))
          #expect(!readsCleanly(path, checksum: nil), "at length \(length)")
          #expect(!readsCleanly(path, checksum: checksum), "at length \(length)")
        }
      }
    }
  }

  /// 200 flipped bytes: only the checksum can tell, and it always does.
  @Test func flippedBytesFailTheChecksum() throws {
    try withCase { original, checksum in
      var generator = SeededGenerator(seed: 23)
      try withTemporaryFolder { folder in
        let path = folder + "/damaged.h5"
        for _ in 0..<200 {
          var flipped = original
          let position = Int.random(in: 0..<original.count, using: &generator)
          flipped[position] ^= UInt8.random(in: 1...255, using: &generator)
          try flipped.write(to: URL(fileURLWithPath: path))
          #expect(!readsCleanly(path, checksum: checksum), "at byte \(position)")
        }
        try original.write(to: URL(fileURLWithPath: path))
        #expect(readsCleanly(path, checksum: checksum))
      }
    }
  }

  private func withCase(_ body: (Data, String) throws -> Void) throws {
    let library = try GoldenLibrary.bundled()
    let entry = try #require(library.manifest.cases.first { $0.operation == "mixture" && $0.expectedError == nil })
    try body(Data(contentsOf: library.directory.appendingPathComponent(entry.file)), entry.sha256)
  }

  /// True if everything could be read, false after a clean error.
  private func readsCleanly(_ path: String, checksum: String?) -> Bool {
    do {
      let reader = try HDF5Reader(path, sha256: checksum)
      _ = try reader.attributes(of: "/")
      _ = try reader.attributes(of: "parameters")
      for group in ["inputs", "weights", "expected"] {
        for name in try reader.members(of: group) ?? [] {
          _ = try reader.attributes(of: "\(group)/\(name)")
          _ = try reader.tensor(at: "\(group)/\(name)")
        }
      }
      return true
    } catch let error as GoldenError {
      #expect(!error.problem.isEmpty)
      return false
    } catch {
      Issue.record("not a GoldenError: \(error)")
      return false
    }
  }

  @Test func whatIsNotHDF5IsRefusedInOneSentence() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/text.h5"
      try Data("not HDF5".utf8).write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: GoldenError.self) { try HDF5Reader(path, name: "text.h5") }
      #expect(error?.description.hasPrefix("text.h5: cannot be opened as HDF5 (HDF5: ") == true)
      #expect(throws: GoldenError("none.h5", "there is no such file")) {
        try HDF5Reader(folder + "/none.h5", name: "none.h5")
      }
    }
  }

  @Test func softLinksAreRefused() throws {
    try withRawFile { file, path in
      #expect(H5Lcreate_soft("/elsewhere", file, "x", chdf5_default(), chdf5_default()) >= 0)
      H5Fclose(file)
      try expectRefusal(path, "x is a soft or external link; the format has hard links only")
    }
  }

  @Test func externalLinksAreRefused() throws {
    try withRawFile { file, path in
      #expect(H5Lcreate_external("/etc/passwd", "/", file, "x", chdf5_default(), chdf5_default()) >= 0)
      H5Fclose(file)
      try expectRefusal(path, "x is a soft or external link; the format has hard links only")
    }
  }

  @Test func externalStorageIsRefused() throws {
    try withRawFile { file, path in
      let properties = H5Pcreate(chdf5_dataset_create_class())
      H5Pset_external(properties, "/etc/passwd", 0, 16)
      try makeDataset(file, chdf5_file_float(), properties)
      try expectRefusal(path, "x keeps its data in another file; the format does not allow that")
    }
  }

  @Test func variableLengthDataIsRefused() throws {
    try withRawFile { file, path in
      let type = H5Tcopy(chdf5_c_string())
      H5Tset_size(type, Int(bitPattern: UInt.max))  // H5T_VARIABLE
      try makeDataset(file, type, chdf5_default())
      try expectRefusal(path, "x has an element type that the format does not use")
    }
  }

  @Test func aShapeThatTheFileCannotHoldIsRefused() throws {
    try withRawFile { file, path in
      try makeDataset(file, chdf5_file_double(), chdf5_default(), lengths: [1 << 20, 1 << 10])
      let error = #expect(throws: GoldenError.self) { try HDF5Reader(path, name: "raw.h5").tensor(at: "x") }
      #expect(error?.problem.hasPrefix("x claims the shape [1048576, 1024], more than a file of") == true)
    }
  }

  @Test func aCycleOfGroupsIsNotFollowed() throws {
    try withRawFile { file, path in
      H5Gclose(chdf5_group_create(file, "inputs"))
      #expect(H5Lcreate_hard(file, "/", file, "inputs/back", chdf5_default(), chdf5_default()) >= 0)
      H5Fclose(file)
      let reader = try HDF5Reader(path, name: "raw.h5")
      #expect(try reader.members(of: "inputs") == ["back"])
      #expect(throws: GoldenError.self) { try reader.tensor(at: "inputs/back") }
      let error = #expect(throws: GoldenError.self) { try reader.contents() }
      #expect(error?.problem.hasPrefix("holds more objects than it should, or goes in circles, at inputs/back") == true)
    }
  }

  @Test func attributesThatNobodyAsksForMayBeOfAnyKind() throws {
    try withRawFile { file, path in
      let (type, space) = (H5Tcopy(chdf5_c_string()), H5Screate(H5S_SCALAR))
      H5Tset_size(type, Int(bitPattern: UInt.max))  // H5T_VARIABLE
      H5Aclose(chdf5_attribute_create(file, "note", type, space))
      let start = chdf5_attribute_create(file, "start", chdf5_file_int64(), space)
      #expect(withUnsafePointer(to: Int64(3)) { H5Awrite(start, chdf5_native_int64(), $0) } >= 0)
      H5Aclose(start)
      H5Fclose(file)
      let reader = try HDF5Reader(path, name: "raw.h5")
      #expect(try reader.attribute("start", of: "/") == .integer(3))
      #expect(try reader.attribute("stop", of: "/") == nil)
      let problem = "the attribute note of / is neither a number nor a fixed-length string"
      #expect(throws: GoldenError("raw.h5", problem)) { try reader.attribute("note", of: "/") }
      #expect(throws: GoldenError("raw.h5", problem)) { try reader.attributes(of: "/") }
      #expect(throws: GoldenError("raw.h5", "there is no x")) { try reader.attribute("start", of: "x") }
    }
  }

  private func withRawFile(_ body: (hid_t, String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      chdf5_silence_errors()
      let path = folder + "/raw.h5"
      let file = H5Fcreate(path, chdf5_truncate(), chdf5_default(), chdf5_default())
      try #require(file >= 0)
      try body(file, path)
    }
  }

  private func makeDataset(_ file: hid_t, _ type: hid_t, _ properties: hid_t, lengths: [hsize_t] = [4]) throws {
    let space = H5Screate_simple(Int32(lengths.count), lengths, nil)
    let dataset = chdf5_dataset_create(file, "x", type, space, properties)
    try #require(dataset >= 0)
    H5Dclose(dataset)
    H5Sclose(space)
    H5Fclose(file)
  }

  private func expectRefusal(_ path: String, _ problem: String) throws {
    let reader = try HDF5Reader(path, name: "raw.h5")
    #expect(throws: GoldenError("raw.h5", problem)) { try reader.tensor(at: "x") }
  }
}
