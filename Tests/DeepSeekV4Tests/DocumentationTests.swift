import DeepSeekV4
import Foundation
import Testing

/// The tables of `docs/configuration.md` are those of the code.
@Suite struct DocumentationTests {
  static let document = URL(filePath: #filePath).deletingLastPathComponent().appending(
    path: "../../docs/configuration.md")

  static func row(_ key: ConfigurationKey) -> String {
    let names = [key.inference, key.huggingFace].map { $0.map { "`\($0)`" } ?? "" }
    let ending: String? =
      switch key.rule {
      case .required: "error"
      case .requiredOr(let other): "error; Hugging Face: \(other)"
      case .inferenceDefault(let value): "`\(value)` in the inference form, else error"
      case .optional(let meaning): meaning
      case .only(let value): "`\(value)`"
      case .ignored: nil
      }
    return "| " + (names + [key.meaning] + [ending].compactMap { $0 }).joined(separator: " | ") + " |"
  }

  @Test func theDocumentHasEveryKeyAndNoOther() throws {
    let text = try String(contentsOf: Self.document, encoding: .utf8)
    let rows = text.split(separator: "\n").map(String.init).filter { $0.hasPrefix("| ") && $0.contains("`") }
    let expected = ConfigurationKey.all.map(Self.row)
    #expect(rows == expected, "the tables should be:\n\(expected.joined(separator: "\n"))")
  }

  @Test func theDocumentHasEveryPreset() throws {
    let text = try String(contentsOf: Self.document, encoding: .utf8)
    for preset in ModelConfiguration.presets { #expect(text.contains("\n- `\(preset.name)`: "), "\(preset.name)") }
  }

  @Test func noNameStandsForTwoKeys() {
    for form in ConfigurationForm.allCases {
      let names = ConfigurationKey.all.compactMap { $0.name(in: form) }
      #expect(Set(names).count == names.count)
    }
  }
}
