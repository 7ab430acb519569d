import GoldenTensors
import RotaryEmbedding
import Taps
import Tensors

/// A trace that any engine wrote (`docs/traces.md`, "Traces of other engines").
///
/// Its calls are read and checked at once, its tensors when they are asked for.
public struct TraceFile {
  /// A call of the model.
  public struct Call: Sendable {
    /// Its group, `calls/0000`.
    public let name: String
    /// The position of its first token.
    public let start: Int
    public let tokenIDs: [Int]
    /// The names of what was recorded, sorted.
    public let taps: [String]
  }

  /// At least one. Each starts where the last one ended, or before that: then it takes tokens back.
  public let calls: [Call]
  public let producer: String?
  public let precision: PrecisionClass
  public let numerics: NumericsMode
  public let angles: AnglePolicy
  private let file: TensorFile

  /// - Throws: `GoldenError` or `CheckpointError` if it cannot be read or is not a trace.
  public init(_ path: String) throws { try self.init(TensorFile(path)) }

  /// - Throws: as `init(_:)`.
  public init(_ file: TensorFile) throws {
    self.file = file
    let attributes = try file.attributes(["producer", "precision", "numerics", "angles"])
    func text(_ name: String) throws -> String? {
      switch attributes[name] {
      case nil: return nil
      case .text(let text)?: return text
      default: throw GoldenError(file.name, "its attribute \(name) is not a text")
      }
    }
    producer = try text("producer")
    precision = try PrecisionClass(traceAttribute: attributes["precision"], in: file.name)
    numerics = try Self.choice(text("numerics"), "numerics", in: file.name) ?? .exact
    angles = try Self.choice(text("angles"), "angles", in: file.name) ?? (precision == .fp64 ? .exact : .float32)
    calls = try Self.calls(of: file)
  }

  /// - Throws: `GoldenError` or `CheckpointError` if the call has no such tap, or it cannot be read.
  public func tensor(_ tap: String, in call: Call) throws -> StoredTensor { try file.read("\(call.name)/\(tap)") }

  private static func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ text: String?, _ what: String, in file: String
  ) throws -> Choice? {
    guard let text else { return nil }
    if let choice = Choice(rawValue: text) { return choice }
    let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
    throw GoldenError(file, "its \(what) is '\(text)', not one of \(known)")
  }

  // MARK: Calls

  private static func calls(of file: TensorFile) throws -> [Call] {
    let groups = file.groups.filter { $0.hasPrefix("calls/") && $0.count(where: { $0 == "/" }) == 1 }
    guard !groups.isEmpty else { throw GoldenError(file.name, "holds no call of a model: there is no calls/0000") }
    let expected = groups.indices.map(name(ofCall:))
    if let missing = expected.first(where: { !groups.contains($0) }) {
      let others = Set(groups).subtracting(expected).sorted().joined(separator: ", ")
      throw GoldenError(file.name, "its calls must be numbered without gaps: there is no \(missing), but \(others)")
    }
    let members = members(of: file)
    var calls: [Call] = []
    for name in expected {
      let seen = calls.last.map { $0.start + $0.tokenIDs.count } ?? 0
      let tokens = try tokens(of: name, in: file)
      let start = try start(of: name, in: file) ?? seen
      guard (0...seen).contains(start) else {
        throw GoldenError(file.name, "\(name) starts at \(start), but \(seen) tokens were seen before it")
      }
      calls.append(Call(name: name, start: start, tokenIDs: tokens, taps: members[name] ?? []))
    }
    return calls
  }

  private static func name(ofCall number: Int) -> String {
    let digits = "\(number)"
    return "calls/" + String(repeating: "0", count: max(4 - digits.count, 0)) + digits
  }

  /// What each call holds beside its tokens, by the name of the call.
  private static func members(of file: TensorFile) -> [String: [String]] {
    var members: [String: [String]] = [:]
    for path in file.names where path.hasPrefix("calls/") {
      let parts = path.split(separator: "/", maxSplits: 2)
      guard parts.count == 3, parts[2] != "token_ids" else { continue }
      members["calls/\(parts[1])", default: []].append(String(parts[2]))
    }
    return members
  }

  private static func tokens(of call: String, in file: TensorFile) throws -> [Int] {
    let path = "\(call)/token_ids"
    guard file.names.contains(path) else { throw GoldenError(file.name, "\(call) has no token_ids") }
    let ids: [Int]
    let shape: [Int]
    switch try file.read(path) {
    case .int64(let tensor): (ids, shape) = (tensor.elements.map { Int($0) }, tensor.shape)
    case .int32(let tensor): (ids, shape) = (tensor.elements.map { Int($0) }, tensor.shape)
    case let other: throw GoldenError(file.name, "\(path) holds \(other.elementType.rawValue), not int64 or int32")
    }
    guard shape.count == 1, !ids.isEmpty else {
      throw GoldenError(file.name, "\(path) has the shape \(shape), not [T] with at least one token")
    }
    if let wrong = ids.first(where: { $0 < 0 }) { throw GoldenError(file.name, "\(path) holds the token id \(wrong)") }
    return ids
  }

  /// Nil if the file does not say.
  private static func start(of call: String, in file: TensorFile) throws -> Int? {
    switch try file.attributes(["start"], of: call)["start"] {
    case nil: return nil
    case .integer(let start)?: return Int(start)
    case .text(let text)?:
      if let start = Int(text) { return start }
      fallthrough
    default: throw GoldenError(file.name, "the attribute start of \(call) is not a whole number")
    }
  }
}

extension PrecisionClass {
  /// The class that a trace names: by its own name, or as `float` or `double`; float32 if it says nothing.
  ///
  /// - Throws: `GoldenError` if it names none.
  public init(traceAttribute attribute: StoredAttribute?, in file: String) throws {
    var name: String?
    if let attribute {
      guard case .text(let text) = attribute else { throw GoldenError(file, "its attribute precision is not a text") }
      name = text
    }
    switch name {
    case nil, "float"?: self = .fp32
    case "double"?: self = .fp64
    case let text?:
      guard let known = PrecisionClass(rawValue: text) else {
        let names = (["float", "double"] + PrecisionClass.allCases.map(\.rawValue)).joined(separator: ", ")
        throw GoldenError(file, "its precision is '\(text)', not one of \(names)")
      }
      self = known
    }
  }
}
