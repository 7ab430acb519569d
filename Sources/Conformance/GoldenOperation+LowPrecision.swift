import DeepSeekV4
import GoldenTensors
import LowPrecision
import Tensors

// The deployed formats and block quantization (report 2.3.4 and 5.2.1).

extension GoldenOperation {
  func round<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    let format = try format(inputs)
    let x = try inputs.input("x")
    if format == .float4E2M1 {
      for value in x.elements { _ = try format.code(value) }  // refuses NaN
    }
    let rounded =
      format == .bfloat16
      ? steps.quantization.activation(x) : x.map { steps.quantization.cast($0, format: format) }
    return Production(tensors: ["rounded": ProducedTensor(rounded)])
  }

  func decode<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    let isScale = try inputs.choice("format") == "ue8m0"
    let count = try isScale ? 256 : format(inputs).codeCount
    let codes = try bytes(inputs.integerInput("codes"), "code", below: count)
    guard !isScale else {
      let values: Tensor<Scalar> = codes.map { steps.quantization.scaleValue(ofByte: $0, format: .float8E4M3) }
      return Production(tensors: ["values": ProducedTensor(values)])
    }
    let format = try format(inputs)
    return Production(tensors: ["values": ProducedTensor(codes.map { format.value(ofCode: $0) as Scalar })])
  }

  func quantize<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    let quantized = try blocks(inputs, steps).quantized(inputs.input("x"))
    return Production(tensors: [
      "scales": ProducedTensor(quantized.scales),
      "codes": .integers(quantized.codes.map { Int($0) }),
      "values": ProducedTensor(quantized.values),
    ])
  }

  func dequantize<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> Production {
    let values: Tensor<Scalar> = try blocks(inputs, steps).dequantized(
      codes: bytes(inputs.integerInput("codes"), "code"),
      scaleBytes: bytes(inputs.integerInput("scale_bytes"), "scale byte"))
    return Production(tensors: ["values": ProducedTensor(values)])
  }

  private func blocks<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>, _ steps: StepSet) throws -> BlockQuantization {
    try BlockQuantization(
      format(inputs), rows: inputs.count("block_rows"), columns: inputs.count("block_columns"),
      steps: steps.quantization)
  }

  private func format<Scalar: RealScalar>(_ inputs: CaseInputs<Scalar>) throws -> SmallFloat {
    let name = try inputs.choice("format")
    guard let format = SmallFloat.allCases.first(where: { $0.name == name }) else {
      throw InputError(
        rawValue, "format must be one of \(SmallFloat.allCases.map(\.name).joined(separator: ", ")), got \(name)")
    }
    return format
  }

  private func bytes(_ integers: Tensor<Int>, _ name: String, below count: Int = 256) throws -> Tensor<UInt8> {
    if let stranger = integers.elements.first(where: { !(0..<count).contains($0) }) {
      throw InputError(rawValue, "\(name) \(stranger) is outside 0 … \(count - 1)")
    }
    return integers.map { UInt8($0) }
  }
}
