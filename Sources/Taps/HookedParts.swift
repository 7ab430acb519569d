import Tensors

/// The hooks of values that are computed part by part, some rows at a time, and heard as wholes: what experts compute is
/// computed expert by expert, and recorded for all slots of all tokens together.
public struct HookedParts {
  private let whole: Hooks
  private let collector: PartCollector?

  /// - Parameters:
  ///   - shape: of the rows there will be, as in `[T, k]`
  ///   - hooks: of the wholes
  public init(of shape: [Int], _ hooks: Hooks) {
    whole = hooks
    collector = hooks.isRecording ? PartCollector(shape, hooks) : nil
  }

  /// The hooks of a part.
  ///
  /// - Parameter rows: where its rows stand among all rows
  public func rows(_ rows: [Int]) -> Hooks {
    guard let collector else { return whole }
    collector.rows = rows
    return Hooks(numerics: whole.numerics, recorder: collector)
  }

  /// Tells whoever listens, once every row is there.
  ///
  /// - Throws: `InputError` if one is not.
  public func finish() throws(InputError) { try collector?.finish() }
}

private final class PartCollector: TapRecorder {
  private let shape: [Int]
  private let hooks: Hooks
  /// Where the rows of the present part stand.
  var rows: [Int] = []
  private var names: [String] = []
  private var collected: [String: (tap: Tap, rows: [RecordedTensor?])] = [:]

  init(_ shape: [Int], _ hooks: Hooks) {
    self.shape = shape
    self.hooks = hooks
  }

  func record(_ name: String, tap: Tap, _ tensor: RecordedTensor) {
    if collected[name] == nil {
      names.append(name)
      collected[name] = (tap, Array(repeating: nil, count: shape.reduce(1, *)))
    }
    for (part, row) in rows.enumerated() { collected[name]?.rows[row] = try? tensor.rows([part]) }
  }

  func replacement(for name: String) -> RecordedTensor? {
    guard let tap = collected[name]?.tap, let whole = hooks.replacement(tap, name: name),
      whole.shape.count == shape.count + 1, Array(whole.shape.prefix(shape.count)) == shape,
      whole.shape.last == collected[name]?.rows[rows[0]]?.shape.last
    else { return nil }
    return try? whole.rows(rows)
  }

  func finish() throws(InputError) {
    for name in names {
      guard let (tap, parts) = collected[name] else { continue }
      let present = parts.compactMap { $0 }
      guard present.count == parts.count else { throw InputError("record", "a part of \(name) was not computed") }
      hooks.record(tap, name: name, try .joined(present, shape: shape))
    }
  }
}

extension RecordedTensor {
  /// Rows, of all axes but the last one taken together: `[n, width]`.
  fileprivate func rows(_ rows: [Int]) throws(InputError) -> RecordedTensor {
    let width = shape.last ?? 1
    func taken<Element>(_ tensor: Tensor<Element>) throws(InputError) -> Tensor<Element> {
      let elements = rows.flatMap { tensor.elements[$0 * width..<($0 + 1) * width] }
      return try Tensor(shape: [rows.count, width], elements: elements)
    }
    return switch self {
    case .floats(let tensor): .floats(try taken(tensor))
    case .doubles(let tensor): .doubles(try taken(tensor))
    case .integers(let tensor): .integers(try taken(tensor))
    }
  }

  /// Rows of reals below each other, the first axis split.
  fileprivate static func joined(_ rows: [RecordedTensor], shape: [Int]) throws(InputError) -> RecordedTensor {
    func joined<Scalar: RealScalar>(_: Scalar.Type) throws(InputError) -> Tensor<Scalar> {
      let elements = rows.flatMap { $0.reals(Scalar.self)?.elements ?? [] }
      return try Tensor(shape: shape + [rows.first?.shape.last ?? 0], elements: elements)
    }
    if case .floats? = rows.first { return .floats(try joined(Float.self)) }
    return .doubles(try joined(Double.self))
  }
}
