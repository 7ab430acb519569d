import CostModel
import DeepSeekV4
import Foundation
import TestSupport
import Testing

/// The inventory of a configuration against the files that are really written.
@Suite struct CheckpointTests {
  /// Tensors, elements and bytes by storage type.
  struct Sums: Equatable {
    var tensors = 0
    var elements = 0
    var bytes = 0
  }

  @Test(arguments: ["tiny", "tiny-pro", "tiny-deployed"])
  func theInventoryIsWhatIsWritten(preset: String) throws {
    let cost = try ModelCost(.preset(preset), name: preset)
    let expected = try withTemporaryFolder { folder in
      let run = try oracle("checkpoint", "synthesize", "--preset", preset, "--out", folder + "/checkpoint")
      #expect(run.status == 0)
      return try Self.sums(inFile: folder + "/checkpoint/model.safetensors")
    }
    let checkpoint = try #require(cost.checkpoint)
    var sums: [String: Sums] = [:]
    for row in checkpoint.rows {
      sums[row.type, default: Sums()].tensors += row.tensors
      sums[row.type, default: Sums()].elements += row.elements
      sums[row.type, default: Sums()].bytes += row.bytes
    }
    #expect(sums == expected)
    #expect(checkpoint.tensors == expected.values.reduce(0) { $0 + $1.tensors })
    #expect(checkpoint.elements == expected.values.reduce(0) { $0 + $1.elements })
    #expect(checkpoint.bytes == expected.values.reduce(0) { $0 + $1.bytes })
  }

  /// Read without the package: the length of the header in 8 bytes, then JSON, then data to the end.
  static func sums(inFile path: String) throws -> [String: Sums] {
    let data = try Data(contentsOf: URL(fileURLWithPath: path))
    let length = data.prefix(8).enumerated().reduce(0) { $0 + Int($1.element) << (8 * $1.offset) }
    let json = try JSONSerialization.jsonObject(with: data[8..<8 + length])
    var sums: [String: Sums] = [:]
    for (name, entry) in try #require(json as? [String: [String: Any]]) where name != "__metadata__" {
      let type = try #require(entry["dtype"] as? String)
      let shape = try #require(entry["shape"] as? [Int])
      let range = try #require(entry["data_offsets"] as? [Int])
      sums[type, default: Sums()].tensors += 1
      sums[type, default: Sums()].elements += shape.reduce(1, *)
      sums[type, default: Sums()].bytes += range[1] - range[0]
    }
    #expect(sums.values.reduce(0) { $0 + $1.bytes } == data.count - 8 - length)
    return sums
  }
}
