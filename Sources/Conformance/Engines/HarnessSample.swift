import DeepSeekV4
import Foundation
import GoldenTensors
import Tensors

/// A case that an engine gave a result for, and the same case with other inputs.
struct HarnessSample {
  private let goldenCase: GoldenCase
  /// What the engine said to the case.
  private let tensors: [String: StoredTensor]
  private let changedRequest: EngineRequest
  /// The tensors that are far from the expected ones under the other inputs.
  private let affected: [String]

  /// So many cases of an operation are tried before it counts as unsupported.
  private static let triesPerOperation = 3

  /// One sample for each operation that the engine knows, of the smallest files.
  static func all(
    _ session: EngineSession, _ entries: [GoldenManifest.CaseEntry], _ library: GoldenLibrary
  ) throws -> [HarnessSample] {
    let usable = entries.filter { $0.expectedError == nil }.sorted { ($0.bytes, $0.id) < ($1.bytes, $1.id) }
    let operations = Dictionary(grouping: usable, by: \.operation).sorted { $0.key < $1.key }
    return try operations.compactMap { _, entries in
      for entry in entries.prefix(triesPerOperation) {
        if let sample = try HarnessSample(session, library.load(entry)) { return sample }
      }
      return nil
    }
  }

  /// Nil if the engine gives no result for the case, or no change of its inputs is known that must show.
  private init?(_ session: EngineSession, _ goldenCase: GoldenCase) throws {
    var changed = goldenCase.request
    changed.inputs = try changed.inputs.reversed()
    guard let operation = GoldenOperation(rawValue: changed.operation),
      let production = try? operation.run(changed, as: Double.self)
    else { return nil }
    let affected = try goldenCase.judged.keys.sorted().filter { name in
      guard let tensor = production.tensors[name] else { return false }
      return try goldenCase.comparison(
        name, tensor, tolerances: CaseTolerances(goldenCase.entry, double: false)
      ).multiple.value > KillMatrix.threshold
    }
    guard !affected.isEmpty, case .tensors(let tensors) = session.reply(to: goldenCase) else { return nil }
    (self.goldenCase, self.tensors, changedRequest, self.affected) = (goldenCase, tensors, changed, affected)
  }

  private var shapes: [[Int]] { goldenCase.judged.values.map(\.shape) }

  /// What is wrong if the case is asked for in a special way; nil if it gives a result.
  func resultProblem(
    _ session: EngineSession, id: String? = nil, subfolder: String? = nil, extra: [String: Any] = [:]
  ) -> String? {
    let reply = session.reply(to: goldenCase.request, holding: shapes, id: id, subfolder: subfolder, extra: extra)
    guard case .tensors = reply else { return reply.otherThanTensors }
    return nil
  }

  /// What is wrong if the case file holds something else; nil if the engine answers with error.
  ///
  /// - Parameter contents: of the file; nil if there is to be none
  func refusalProblem(_ session: EngineSession, contents: Data?) -> String? {
    let id = "unreadable"
    do {
      let (file, result) = try session.place(id)
      defer { for path in [file, result] { try? FileManager.default.removeItem(atPath: path) } }
      try contents?.write(to: URL(fileURLWithPath: file))
      let answer = try session.ask(
        EngineMessage([
          "type": "run", "id": id, "case": goldenCase.entry.id, "operation": goldenCase.entry.operation, "file": file,
          "result": result,
        ]))
      guard answer.type == "error" else { return "it answered with a message of type '\(answer.shortType)'" }
      return answer.id == id ? nil : "its error does not have the id of the message"
    } catch {
      return "\(error)"
    }
  }

  /// What is wrong if the case is asked for again; nil if the result has the same bits.
  func repeated(_ session: EngineSession) -> String? {
    let reply = session.reply(to: goldenCase)
    guard case .tensors(let again) = reply else { return "\(goldenCase.entry.id): \(reply.otherThanTensors)" }
    if again.hasSameBits(as: tensors) { return nil }
    return "two runs of \(goldenCase.entry.id) gave other bits"
  }

  /// What is wrong if the case is asked for with other inputs; nil if the result is another one.
  func changed(_ session: EngineSession) -> String? {
    let reply = session.reply(to: changedRequest, holding: shapes)
    guard case .tensors(let others) = reply else {
      return "\(goldenCase.entry.id), with its inputs in reverse order: \(reply.otherThanTensors)"
    }
    let same = affected.first { name in
      guard let before = tensors[name], let after = others[name] else { return true }
      return after.hasSameBits(as: before)
    }
    return same.map { "\($0) of \(goldenCase.entry.id) stays the same when the inputs are put in reverse order" }
  }
}

extension EngineReply {
  /// An answer that should have been a result, in words.
  fileprivate var otherThanTensors: String {
    switch self {
    case .tensors: "it gave a result"
    case .unsupported(let reason): "it called the case unsupported: \(reason)"
    case .refused(let words): "it refused the case: \(words)"
    case .fault(let problem): problem
    }
  }
}

extension [String: StoredTensor] {
  /// All reals with their elements in reverse order; the integers, where there are no reals.
  fileprivate func reversed() throws -> Self {
    let hasReals = values.contains { $0.reals(Double.self) != nil }
    return try mapValues { tensor in
      switch tensor {
      case .float32(let tensor): .float32(try Tensor(shape: tensor.shape, elements: tensor.elements.reversed()))
      case .float64(let tensor): .float64(try Tensor(shape: tensor.shape, elements: tensor.elements.reversed()))
      case .int64(let tensor) where !hasReals:
        .int64(try Tensor(shape: tensor.shape, elements: tensor.elements.reversed()))
      default: tensor
      }
    }
  }
}
