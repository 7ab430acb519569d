import LowPrecision
import Tensors

extension Checkpoint {
  /// The values of a tensor, whatever it is stored as.
  ///
  /// | stored as | scales | values |
  /// | --- | --- | --- |
  /// | F32, F64, BF16, F16 | none | as they are |
  /// | F8_E4M3 `[R, C]` | `[⌈R/128⌉, ⌈C/128⌉]` | code × scale |
  /// | I8 or U8 `[R, C/2]`: two FP4 codes in a byte, low nibble first | `[R, C/32]` | code × scale |
  ///
  /// The scales of `X.weight` are `X.scale` or, as in Hugging Face's FP8 checkpoints, `X.weight_scale_inv` (which is
  /// multiplied by, too, in spite of its name); they are F8_E8M0 or real.
  ///
  /// - Parameters:
  ///   - name: as stored
  ///   - as: Float or Double
  ///   - rows: a range of the first axis; all of it if nil. Of FP8 the rest of the first block is read, too.
  ///   - steps: how codes and scales are read: correctly, or with a known bug
  /// - Returns: `[R, C]`, or `[rows.count, C]`; NaN where a code or a scale is NaN
  /// - Throws: `CheckpointError` if there is no such tensor or row, if its dtype means nothing without scales and there
  ///   are none, or two, or they have another shape.
  public func matrix<Scalar: RealScalar>(
    _ name: String, as: Scalar.Type = Scalar.self, rows: Range<Int>? = nil, steps: any QuantizationSteps = .reference
  ) throws(CheckpointError) -> Tensor<Scalar> {
    guard let (tensor, file) = entry(name) else {
      throw CheckpointError(self.name, "there is no tensor \(quoted(name))")
    }
    switch tensor.type {
    case .float8E4M3: return try dequantized(tensor, in: file, as: .float8E4M3, rows: rows, steps)
    case .int8, .uint8: return try dequantized(tensor, in: file, as: .float4E2M1, rows: rows, steps)
    default: return try reals(name, rows: rows)
    }
  }

  /// A whole matrix as it is stored in codes; nil if it is stored as reals, or its scales are.
  ///
  /// - Parameter name: as stored
  /// - Returns: codes and scales of `[R, C]` values
  /// - Throws: `CheckpointError` as `matrix` does.
  public func storedMatrix(_ name: String) throws(CheckpointError) -> StoredMatrix? {
    guard let (tensor, file) = entry(name) else {
      throw CheckpointError(self.name, "there is no tensor \(quoted(name))")
    }
    let format: SmallFloat
    switch tensor.type {
    case .float8E4M3: format = .float8E4M3
    case .int8, .uint8: format = .float4E2M1
    default: return nil
    }
    let blocks = try explaining(name, in: file) { () throws(InputError) in try weightBlocks(format) }
    let scaleName = try scaleName(of: tensor, in: file, blocks)
    guard entry(scaleName)?.tensor.type == .float8E8M0 else { return nil }
    return StoredMatrix(format: format, codes: try bytes(name), scaleBytes: try bytes(scaleName))
  }

  private func dequantized<Scalar: RealScalar>(
    _ codes: TensorDescription, in file: String, as format: SmallFloat, rows: Range<Int>?,
    _ steps: any QuantizationSteps
  ) throws(CheckpointError) -> Tensor<Scalar> {
    guard codes.shape.count == 2 else {
      throw CheckpointError(file, "\(quoted(codes.name)) has the shape \(codes.shape), expected [R, C]")
    }
    let rows = rows ?? 0..<codes.shape[0]
    guard rows.lowerBound >= 0, rows.upperBound <= codes.shape[0] else {
      throw CheckpointError(file, "\(quoted(codes.name)) has the shape \(codes.shape), not the rows \(rows)")
    }
    let blocks = try explaining(codes.name, in: file) { () throws(InputError) in try weightBlocks(format, steps: steps)
    }
    let scaleName = try scaleName(of: codes, in: file, blocks)
    // The rows of whole blocks, from the first one that is wanted.
    let blockRows = rows.lowerBound / blocks.rows..<(rows.upperBound + blocks.rows - 1) / blocks.rows
    let firstRow = blockRows.lowerBound * blocks.rows
    let bytes = try bytes(codes.name, rows: firstRow..<rows.upperBound)
    let scales: Tensor<Scalar> =
      entry(scaleName)?.tensor.type == .float8E8M0
      ? try self.bytes(scaleName, rows: blockRows).map { steps.scaleValue(ofByte: $0, format: format) }
      : try reals(scaleName, rows: blockRows)
    return try explaining(codes.name, in: file) { () throws(InputError) in
      let values = try blocks.dequantized(codes: bytes, scales: scales)
      let surplus = (rows.lowerBound - firstRow) * values.shape[1]
      guard surplus > 0 else { return values }
      return try Tensor(shape: [rows.count, values.shape[1]], elements: Array(values.elements.dropFirst(surplus)))
    }
  }

  /// The tensor that holds the scales, of which the shape is checked.
  private func scaleName(
    of codes: TensorDescription, in file: String, _ blocks: BlockQuantization
  ) throws(CheckpointError) -> String {
    let stem = codes.name.hasSuffix(".weight") ? String(codes.name.dropLast(".weight".count)) : codes.name
    let candidates = ["\(stem).scale", "\(stem).weight_scale_inv"].compactMap { entry($0)?.tensor }
    guard let scales = candidates.first, candidates.count == 1 else {
      throw CheckpointError(
        file,
        "\(quoted(codes.name)) is stored as \(codes.type.rawValue) and needs one tensor of scales, found \(candidates.count)"
      )
    }
    let width = (blocks.format == .float4E2M1 ? 2 : 1) * codes.shape[1]
    let (blockRows, blockColumns) = try explaining(codes.name, in: file) { () throws(InputError) in
      try blocks.blockCounts(rows: codes.shape[0], columns: width)
    }
    guard scales.shape == [blockRows, blockColumns] else {
      throw CheckpointError(
        file, "\(quoted(scales.name)) has the shape \(scales.shape), expected \([blockRows, blockColumns])")
    }
    return scales.name
  }
}
