import Foundation
import GoldenTensors
import Traces

/// The engine's side of the protocol (`docs/engine-protocol.md`), for any engine written in Swift.
public struct EngineServer {
  private let engine: any ConformanceEngine

  /// Serves one engine.
  public init(_ engine: any ConformanceEngine) { self.engine = engine }

  /// Answers messages until there are no more or one says stop.
  ///
  /// - Parameters:
  ///   - read: the next line; nil at the end
  ///   - write: takes an answer, the newline included, and passes it on at once
  public func run(read: () -> String?, write: (Data) -> Void) throws {
    while let line = read() {
      let message = EngineMessage(line: Data(line.utf8))
      write(try answer(message).line)
      if message?.type == "stop" { return }
    }
  }

  private func answer(_ message: EngineMessage?) -> EngineMessage {
    guard let message else { return error("a message has to be a JSON object on one line", to: nil) }
    switch message.type {
    case "start" where message.version == EngineMessage.protocolVersion: return .started(engine.description)
    case "start": return error("only protocol \(EngineMessage.protocolVersion) is spoken here", to: message)
    case "stop": return EngineMessage(["type": "stopped"])
    case "run":
      do {
        return try run(message)
      } catch {
        return self.error("\(error)", to: message)
      }
    default: return error("unknown type of message '\(message.shortType)'", to: message)
    }
  }

  private func run(_ message: EngineMessage) throws -> EngineMessage {
    let id = try message.requiredText("id")
    let result = try message.requiredText("result")
    let request = try EngineRequest(contentsOf: message.requiredText("file"))
    var selections: [String: StoredTensor]?
    if let path = message.text("selections") {
      let file = try TensorFile(path)
      selections = try Dictionary(uniqueKeysWithValues: file.names.map { ($0, try file.read($0)) })
    }
    switch engine.reply(to: request, holding: selections) {
    case .unsupported(let reason): return EngineMessage(["type": "unsupported", "id": id, "reason": reason])
    case .refused(let words), .fault(let words): return error(words, to: message)
    case .tensors(let tensors):
      try HDF5Writer.write(result, compresses: false) { try $0.write(tensors) }
      return EngineMessage(["type": "result", "id": id, "file": result])
    }
  }

  private func error(_ words: String, to message: EngineMessage?) -> EngineMessage {
    var members: [String: Any] = ["type": "error", "error": plain(words)]
    members["id"] = message?.id
    return EngineMessage(members)
  }
}

extension HDF5Writer {
  /// Tensors by name, at the root.
  func write(_ tensors: [String: StoredTensor]) throws {
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) { try write(tensor, at: name) }
  }
}
