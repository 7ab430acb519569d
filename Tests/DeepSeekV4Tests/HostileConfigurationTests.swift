import DeepSeekV4
import Foundation
import Tensors
import TestSupport
import Testing

/// Whatever the text, the answer is a valid configuration or an `InputError`.
@Suite struct HostileConfigurationTests {
  static let texts = [
    Published.inference(isPro: false), Published.huggingFace(isPro: true), Published.transformers,
  ]
  static let values = [
    "null", "true", "false", "0", "-1", "1", "4.0", "0.5", "1e30", "1e308", "1e400", "-9223372036854775808",
    "9223372036854775807", "9223372036854775808", "1" + String(repeating: "0", count: 30), "\"\"", "\"64\"", "\"yarn\"",
    "[]", "{}", "[[]]", "[0, \"4\"]", "{\"a\": {\"b\": [1]}}", "[" + String(repeating: "4,", count: 2000) + "0]",
  ]

  func survives(_ data: Data) {
    do throws(InputError) {
      let reading = try ModelConfiguration.read(data)
      #expect(reading.configuration.faults.isEmpty)
    } catch {
      #expect(error.operation == "config")
      #expect(!error.problem.isEmpty && error.problem.utf8.count < 10_000)
    }
  }

  /// Every value of the texts in turn by every hostile one.
  @Test func replacedValues() throws {
    for text in Self.texts {
      let keys = text.matches(of: /"([a-z_]+)": ("[^"]*"|[-0-9.e]+|true|false|null|\[[^\]]*\])/)
      #expect(keys.count > 25)
      for (index, match) in keys.enumerated() {
        // A third of the values for each key, another third for the next, so that a run stays short.
        for value in Self.values.indices.filter({ ($0 + index) % 3 == 0 }).map({ Self.values[$0] }) {
          survives(
            Data(text.replacingCharacters(in: match.output.2.startIndex..<match.output.2.endIndex, with: value).utf8))
        }
      }
    }
  }

  /// Bytes that are changed, dropped and doubled at random.
  @Test func mutatedBytes() {
    var generator = SeededGenerator(seed: 7)
    for round in 0..<200 {
      var bytes = Array(Self.texts[round % Self.texts.count].utf8)
      for _ in 0...Int.random(in: 0..<4, using: &generator) {
        let position = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[position] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.remove(at: position)
        case 2: bytes.insert(contentsOf: bytes[position..<min(position + 40, bytes.count)], at: position)
        default: bytes[position] = Array("0123456789-.eE,:{}[]\"\\ ".utf8).randomElement(using: &generator)!
        }
      }
      survives(Data(bytes))
    }
  }

  @Test(arguments: [
    String(repeating: "[", count: 100_000), String(repeating: "{\"dim\":", count: 30_000), "{\"dim\": \"\\ud800\"}",
    "{\"\\ud800\": 1, \"dim\": 2}", "\u{FEFF}{}", "{\"dim\": 01}", "{\"dim\": NaN}", "{\"dim\": Infinity}",
    "{\"dim\": 1} {}", "{\"dim\": 1,}", "nul", "\"", "{\"dim\"",
    "{\"" + String(repeating: "k", count: 100_000) + "\": 1, \"dim\": 2}",
  ])
  func brokenTexts(text: String) { survives(Data(text.utf8)) }

  @Test func everyMissingKeyIsListed() throws {
    let error = #expect(throws: InputError.self) { try ModelConfiguration.read(Data("{\"dim\": 1}".utf8)) }
    let problem = try #require(error).problem
    #expect(problem.split(separator: "; ").count > 20)
    #expect(!problem.hasSuffix(" more"))
  }

  @Test func manyUnknownKeysAreNotAllListed() throws {
    let keys = (0..<5000).map { "\"key\($0)\": 1" }.joined(separator: ", ")
    do throws(InputError) {
      _ = try ModelConfiguration.read(Data("{\"dim\": 1, \(keys)}".utf8))
      Issue.record("5000 unknown keys were read")
    } catch {
      #expect(error.problem.hasPrefix("5027 faults: "))
      #expect(error.problem.hasSuffix("; and 4927 more"))
    }
  }
}
