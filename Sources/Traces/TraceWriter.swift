import GoldenTensors
import Taps
import Tensors

/// Writes what passes the taps into a trace file, as it is computed (`docs/traces.md`).
///
/// ```
/// /                          attributes: format_version, producer, precision, numerics, angles, configuration
/// /calls/0000                one group for each call of the model; attributes start, tokens; dataset token_ids
/// /calls/0000/<tap name>     one dataset for each tap; attributes tap, step, equation, axes, parents
/// ```
public final class TraceWriter: TapRecorder {
  public static let formatVersion: Int64 = 1

  private let file: HDF5Writer
  private let selection: TapSelection
  private let layers: Int
  private var call: String?
  /// The names that passed in the present call, recorded or not.
  private var passed: Set<String> = []
  private var calls = 0
  private var failure: (any Error)?
  /// Who wants to know which taps are passed.
  private var listener: ((String) -> Void)?

  private init(_ file: HDF5Writer, _ selection: TapSelection, layers: Int) {
    self.file = file
    self.selection = selection
    self.layers = layers
  }

  /// Writes a trace.
  ///
  /// - Parameters:
  ///   - path: where it should stand; what stood there is replaced, once all is written
  ///   - description: what the trace is of
  ///   - selection: which taps are recorded
  ///   - fill: runs the model, each call inside `call(start:tokenIDs:_:)`
  /// - Throws: `GoldenError` if something cannot be written or nothing was, and what `fill` throws; the path is then as
  ///   it was.
  public static func write(
    _ path: String, _ description: TraceDescription, selection: TapSelection, _ fill: (TraceWriter) throws -> Void
  ) throws {
    try HDF5Writer.write(path, compresses: false) { file in
      try description.write(to: file)
      try file.group("calls")
      let writer = TraceWriter(file, selection, layers: description.configuration.layers)
      try fill(writer)
      guard writer.calls > 0 else { throw GoldenError(path, "a trace without a call says nothing") }
    }
  }

  /// One call of the model.
  ///
  /// - Parameters:
  ///   - start: the position of its first token
  ///   - tokenIDs: T of them
  ///   - listener: hears the name of each tap as it is passed
  ///   - run: runs the model with this writer as its recorder
  public func call<Result>(
    start: Int, tokenIDs: [Int], listener: ((String) -> Void)? = nil, _ run: () throws -> Result
  ) throws -> Result {
    let number = "\(calls)"
    let group = "calls/" + String(repeating: "0", count: max(4 - number.count, 0)) + number
    try file.group(group)
    try file.set("start", .integer(Int64(start)), of: group)
    try file.set("tokens", .integer(Int64(tokenIDs.count)), of: group)
    let ids = try Tensor(shape: [tokenIDs.count], elements: tokenIDs.map { Int64($0) })
    try file.write(.int64(ids), at: group + "/token_ids")
    (call, self.listener) = (group, listener)
    defer { (call, self.listener, passed) = (nil, nil, []) }
    let result = try run()
    if let failure { throw failure }
    calls += 1
    return result
  }

  public func record(_ name: String, tap: Tap, _ tensor: RecordedTensor) {
    listener?(name)
    passed.insert(name)
    guard let call, failure == nil, selection.contains(name) else { return }
    do {
      let path = "\(call)/\(name)"
      try file.write(StoredTensor(tensor), at: path)
      try file.set("tap", .text(tap.place.rawValue + "/" + tap.name), of: path)
      try file.set("step", .text(tap.step), of: path)
      try file.set("equation", .text(tap.equation), of: path)
      try file.set("axes", .text(tap.axes(of: name).map(ascii).joined(separator: " ")), of: path)
      let place = name.hasSuffix(".unrounded") ? String(name.dropLast(".unrounded".count)) : name
      let known = tap.parentNames(of: place, layers: layers).filter(passed.contains)
      let parents = known.filter { !known.contains("\($0)_quantized") }
      try file.set("parents", .text(parents.joined(separator: " ")), of: path)
    } catch {
      failure = error
    }
  }

  /// HDF5 attributes here are plain ASCII.
  private func ascii(_ text: String) -> String { text.replacing("·", with: "*") }
}

extension StoredTensor {
  fileprivate init(_ tensor: RecordedTensor) {
    self =
      switch tensor {
      case .floats(let tensor): .float32(tensor)
      case .doubles(let tensor): .float64(tensor)
      case .integers(let tensor): .int64(tensor.map { Int64($0) })
      }
  }
}
