import GoldenTensors
import Tensors

// The set-up cases: they check the reader, not the model.

extension GoldenOperation {
  func layout<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>) throws -> Production {
    let matrix = try inputs.input("matrix")
    let cube = try inputs.input("cube")
    let cubeSums = try cube.sum(over: .rows)
    return Production(tensors: [
      "matrix_transposed": ProducedTensor(try matrix.transposed()),
      "matrix_flat": ProducedTensor(try matrix.reshaped([matrix.count])),
      "matrix_row_sums": ProducedTensor(try matrix.sum(over: .rows).reshaped([matrix.shape[0]])),
      "cube_last_axis_sums": ProducedTensor(try cubeSums.reshaped(cubeSums.shape.dropLast())),
    ])
  }

  /// Every input as a real number, under its own name.
  func widened<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>) throws -> Production {
    var production = Production(tensors: [:])
    for name in inputs.inputNames { production.tensors[name] = .reals(try inputs.storedInput(name).doubles) }
    return production
  }
}
