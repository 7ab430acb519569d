import Checkpoints
import Comparison
import Foundation
import GoldenTensors
import Tensors
import TestSupport
import Testing
import Traces

typealias Tensors = [String: StoredTensor]

extension StoredTensor {
  static func reals(_ shape: [Int], _ elements: [Double]) throws -> StoredTensor {
    .float64(try Tensor(shape: shape, elements: elements))
  }

  static func integers(_ shape: [Int], _ elements: [Int64]) throws -> StoredTensor {
    .int64(try Tensor(shape: shape, elements: elements))
  }
}

/// Compares two sets of tensors through files.
func compare(
  _ expected: Tensors, _ candidate: Tensors, class precision: PrecisionClass = .fp32,
  map: String? = nil, _ change: (inout FileComparison.Options) -> Void = { _ in }
) throws -> ComparisonReport {
  try withTemporaryFolder { folder in
    try SafetensorsWriter.write(folder + "/expected", expected, metadata: [:])
    try SafetensorsWriter.write(folder + "/candidate", candidate, metadata: [:])
    var options = FileComparison.Options()
    if let map {
      try Data(map.utf8).write(to: URL(fileURLWithPath: folder + "/map.json"))
      options.map = try TensorMap(contentsOf: folder + "/map.json")
    }
    change(&options)
    let file = try TensorFile(folder + "/candidate", name: "candidate")
    let wanted = try ExpectedTensors(TensorFile(folder + "/expected", name: "expected"), class: precision)
    return try FileComparison(wanted, file, class: precision, options).run()
  }
}

/// Compares tensors with what a case expects.
func compare(
  _ goldenCase: GoldenCase, _ candidate: Tensors, class precision: PrecisionClass = .fp64
) throws -> ComparisonReport {
  try withTemporaryFolder { folder in
    try SafetensorsWriter.write(folder + "/candidate", candidate, metadata: [:])
    let file = try TensorFile(folder + "/candidate", name: "candidate")
    return try FileComparison(ExpectedTensors(goldenCase, class: precision), file, class: precision).run()
  }
}
