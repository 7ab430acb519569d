import Checkpoints
import Foundation
import GoldenTensors
import Tensors
import Traces

/// The oracle's side of the engine protocol (`docs/engine-protocol.md`): starts a command, hands it cases, takes in what
/// comes back, and starts it again after an accident.
public final class EngineSession: @unchecked Sendable {
  /// After so many accidents in a row the run is given up.
  static let mostAccidents = 3
  private static let longestStart = 600.0
  private static let longestStop = 10.0

  /// What the engine says of itself.
  public private(set) var engine: EngineDescription
  private(set) var format: TensorFileFormat
  private let command: String
  private let timeout: Double
  private var process: EngineProcess?
  private var accidents: [String] = []
  private var messages = 0
  private let folder: String

  /// Starts an engine.
  ///
  /// - Parameters:
  ///   - command: for `/bin/sh -c`
  ///   - timeout: the seconds that an answer may take
  /// - Throws: `GoldenError` if it does not start as the protocol wants it.
  public init(command: String, timeout: Double = 120) throws {
    (self.command, self.timeout) = (command, timeout)
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("v4-oracle-engine-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    do {
      (process, engine, format) = try Self.start(command)
    } catch {
      try? FileManager.default.removeItem(atPath: folder)
      throw GoldenError("the engine", "\(error)")
    }
  }

  deinit { abandon() }

  /// Ends the engine at once and removes all temporary files. May be called from any thread.
  public func abandon() {
    process?.kill()
    try? FileManager.default.removeItem(atPath: folder)
  }

  /// Asks the engine to stop.
  ///
  /// - Returns: what went wrong, a sentence each
  public func stop() -> [String] {
    defer { abandon() }
    guard let process else { return [] }
    do {
      let answer = try exchange(EngineMessage(["type": "stop"]), within: Self.longestStop)
      guard answer.type == "stopped" else {
        return ["the engine answered stop with a message of type '\(answer.shortType)'"]
      }
      process.closeInput()
      guard let end = process.waitForEnd(until: .now + .seconds(Self.longestStop)) else {
        return ["the engine said stopped, and did not end"]
      }
      return end.isClean ? [] : ["the engine was stopped, and then \(end.words)"]
    } catch {
      return ["the engine was told to stop: \(error)"]
    }
  }

  /// The engine's answer to a case; accidents are answers, too.
  ///
  /// - Parameter selections: to be used in place of its own; nil for none
  func reply(to goldenCase: GoldenCase, holding selections: [String: StoredTensor]? = nil) -> EngineReply {
    let request = goldenCase.request
    if let reason = engine.reasonToSkip(request) { return .unsupported(reason) }
    let shapes = goldenCase.judged.values.map(\.shape)
    guard let selections else { return reply(to: request, holding: shapes) }
    do {
      let path = "\(folder)/selections.\(format.suffix)"
      switch format {
      case .hdf5: try HDF5Writer.write(path, compresses: false) { try $0.write(selections) }
      case .safetensors: try SafetensorsWriter.write(path, selections, metadata: [:])
      }
      defer { try? FileManager.default.removeItem(atPath: path) }
      return reply(to: request, holding: shapes, extra: ["selections": path])
    } catch {
      return .fault("\(error)")
    }
  }

  /// The engine's answer to anything that looks like a case, whether it says that it knows the operation or not.
  ///
  /// - Parameters:
  ///   - shapes: of the tensors that are expected, so that nothing much larger is read
  ///   - id: of the message; a number if nil
  ///   - subfolder: of the temporary folder, for the files; none if nil
  ///   - extra: further members of the message
  func reply(
    to request: EngineRequest, holding shapes: [[Int]], id: String? = nil, subfolder: String? = nil,
    extra: [String: Any] = [:]
  ) -> EngineReply {
    do {
      let number = nextNumber()
      let (file, result) = try place(number, subfolder)
      defer { for path in [file, result] { try? FileManager.default.removeItem(atPath: path) } }
      try request.write(to: file, as: format, compresses: false)
      var members: [String: Any] = extra
      for (name, value) in [
        "type": "run", "id": id ?? number, "case": request.id, "operation": request.operation, "file": file,
        "result": result,
      ] {
        members[name] = value
      }
      let answer = try ask(EngineMessage(members))
      return try interpret(answer, id: id ?? number, result: result, shapes)
    } catch {
      return .fault("\(error)")
    }
  }

  /// Where the files of a message lie: the case and its result.
  func place(_ name: String, _ subfolder: String? = nil) throws -> (file: String, result: String) {
    let place = subfolder.map { "\(folder)/\($0)" } ?? folder
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    return ("\(place)/\(name).\(format.suffix)", "\(place)/\(name)-result.\(format.suffix)")
  }

  /// Sends a message and takes the answer; an engine that has an accident is stopped, and started again the next time.
  ///
  /// - Throws: `EngineFault`
  func ask(_ message: EngineMessage) throws -> EngineMessage {
    if let last = accidents.last, accidents.count >= Self.mostAccidents {
      throw EngineFault("it was not run: \(accidents.count) accidents in a row; the last: \(last)")
    }
    do {
      if process == nil { try restart() }
      if let unasked = process?.takeUnasked() {
        throw EngineFault(
          "before it was asked, it wrote: \(plain(String(decoding: unasked, as: UTF8.self), limit: 120))")
      }
      let answer = try exchange(message, within: timeout)
      accidents = []
      return answer
    } catch {
      let words = process?.lastWords.map { "; standard error ends with: \($0)" } ?? ""
      process?.kill()
      process = nil
      accidents.append("\(error)")
      throw EngineFault("\(error)\(words)")
    }
  }

  private func exchange(_ message: EngineMessage, within seconds: Double) throws -> EngineMessage {
    guard let process else { throw EngineFault("it does not run") }
    return try Self.exchange(message, with: process, within: seconds)
  }

  private func nextNumber() -> String {
    messages += 1
    return "\(messages)"
  }

  private func restart() throws {
    let (process, engine, format) = try Self.start(command)
    self.process = process
    guard (engine, format) == (self.engine, self.format) else {
      throw EngineFault("when it was started again, it said that it is something else")
    }
  }

  private static func start(_ command: String) throws -> (EngineProcess, EngineDescription, TensorFileFormat) {
    let process = try EngineProcess(command: command)
    do {
      let message = EngineMessage(["type": "start", "protocol": EngineMessage.protocolVersion])
      let (engine, format) = try exchange(message, with: process, within: longestStart).introduction()
      return (process, engine, format)
    } catch {
      let words = process.lastWords.map { "; standard error ends with: \($0)" } ?? ""
      throw EngineFault("when it was started: \(error)\(words)")
    }
  }

  private static func exchange(
    _ message: EngineMessage, with process: EngineProcess, within seconds: Double
  ) throws -> EngineMessage {
    let deadline = ContinuousClock.now + .seconds(seconds)
    try process.send(message.line, until: deadline)
    let line = try process.readLine(until: deadline)
    guard let answer = EngineMessage(line: line) else {
      throw EngineFault("it wrote what is no JSON object: \(plain(String(decoding: line, as: UTF8.self), limit: 120))")
    }
    return answer
  }

  private func interpret(
    _ answer: EngineMessage, id: String, result: String, _ shapes: [[Int]]
  ) throws -> EngineReply {
    guard answer.id == id else {
      throw EngineFault("it answered the message '\(id)' with the id '\(plain(answer.id ?? "", limit: 40))'")
    }
    switch answer.type {
    case "unsupported": return .unsupported(plain(try answer.requiredText("reason")))
    case "error": return .refused(plain(try answer.requiredText("error")))
    case "result":
      let file = try answer.requiredText("file")
      guard file == result else { throw EngineFault("it put the result elsewhere than told: \(plain(file))") }
      return .tensors(try resultTensors(file, shapes))
    default: throw EngineFault("it answered with a message of type '\(answer.shortType)'")
    }
  }
}

/// The tensors of a result file, which may hold anything.
///
/// - Parameter shapes: of what is expected
/// - Throws: `EngineFault` if it is no plain file of tensors, or holds far more than is expected.
private func resultTensors(_ path: String, _ shapes: [[Int]]) throws -> [String: StoredTensor] {
  let type = (try? FileManager.default.attributesOfItem(atPath: path))?[.type] as? FileAttributeType
  guard let type else { throw EngineFault("there is no result file where it was told to write it") }
  guard type == .typeRegular else { throw EngineFault("its result is no plain file") }
  do {
    let file = try TensorFile(path, name: "its result file")
    if let group = file.groups.first {
      throw EngineFault("its result file has the group '\(plain(group))'; tensors belong to the root")
    }
    let allowed = 2 * shapes.map { $0.reduce(8, *) }.reduce(0, +) + 1 << 20
    var left = allowed
    for name in file.names {
      let description = try file.description(of: name)
      var size = description.elementType.size
      for length in description.shape {
        let (product, overflow) = size.multipliedReportingOverflow(by: length)
        size = overflow ? .max : product
      }
      guard size <= left else {
        throw EngineFault("its result file claims far more than is expected, at '\(plain(name))' \(description.shape)")
      }
      left -= size
    }
    return try Dictionary(uniqueKeysWithValues: file.names.map { ($0, try file.read($0)) })
  } catch let fault as EngineFault {
    throw fault
  } catch {
    throw EngineFault(plain("\(error)"))
  }
}
