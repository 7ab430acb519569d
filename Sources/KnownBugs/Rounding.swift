import Tensors

/// Each row rounded to 4-bit integers times a scale: what re-quantising a gate weight does to it.
func roundedToFourBits<Scalar: RealScalar>(_ weight: Tensor<Scalar>) throws(InputError) -> Tensor<Scalar> {
  let scale = try weight.map { abs($0) }.maximum(over: .rows).map { $0 > 0 ? $0 / 7 : 1 }
  return try (weight / scale).map { $0.rounded(.toNearestOrEven) } * scale
}

/// A float32 table read with the two-byte stride of BF16: element i gets the low half of element i/2 when i is even, the
/// high half when it is odd. Little-endian.
func misreadAsBFloat16<Scalar: RealScalar>(_ table: Tensor<Scalar>) throws(InputError) -> Tensor<Scalar> {
  let misread = table.elements.indices.map { index in
    let bits = Float(table.elements[index / 2]).bitPattern
    let value = Float(bitPattern: index % 2 == 0 ? bits << 16 : bits & 0xFFFF_0000)
    return value.isFinite ? Scalar(value) : 0
  }
  return try Tensor(shape: table.shape, elements: misread)
}
