import DeepSeekV4
import Testing

@testable import CostModel

/// Which published numbers come out, and by which counting rules.
@Suite struct PublishedNumberTests {
  static func verdicts(
    _ release: ModelCost.Release, _ rule: CountingRule = .fp8Equivalent, _ format: CacheFormat = .serving
  ) throws -> [PublishedVerdict] {
    try CostReport([model(release)], baseline: model(.v32), context: 4096, rule, format).published
  }

  @Test(arguments: [(ModelCost.Release.flash, 11), (.pro, 12), (.v32, 1)])
  func everyPublishedNumberComesOut(release: ModelCost.Release, count: Int) throws {
    let verdicts = try Self.verdicts(release)
    #expect(verdicts.count == count)
    for verdict in verdicts { #expect(verdict.matches, "\(verdict)") }
  }

  /// The numbers as they are published, so that nobody can bend one to what is computed.
  @Test func theListSaysWhatIsPublished() throws {
    let texts = try Dictionary(
      uniqueKeysWithValues: ModelCost.Release.allCases.map { ($0, try Self.verdicts($0).map(\.publishedText)) })
    #expect(
      texts[.flash] == [
        "69,187", "158,069,433,298", "159,609,485,896", "284B", "13B", "7 %", "13.7×", "2 %", "8×", "10 %", "9.8×",
      ])
    #expect(
      texts[.pro] == [
        "145,116", "861,608,274,846", "864,704,792,696", "1.6T", "49B", "10 %", "9.5×", "2 %", "8×", "9.62 GiB", "27 %",
        "3.7×",
      ])
    #expect(texts[.v32] == ["83.9 GiB"])
  }

  /// Counted raw, Flash would be at 12 % of V3.2 and Pro at 26 %: this is how the rule was recovered.
  @Test func operationsCountedRawAreNotThoseOfTheReport() throws {
    let wrong = try (Self.verdicts(.flash, .raw) + Self.verdicts(.pro, .raw)).filter { !$0.matches }
    #expect(Set(wrong.map(\.publishedText)) == ["10 %", "9.8×", "27 %", "3.7×"])
    #expect(wrong.first { $0.publishedText == "10 %" }?.computedText == "12.12 %")
  }

  /// Without scales the ratio of Flash would be printed as 13.6.
  @Test func cachesWithoutScalesAreNotThoseOfTheReport() throws {
    let wrong = try (Self.verdicts(.flash, .raw, .withoutScales) + Self.verdicts(.pro, .raw, .withoutScales))
      .filter { !$0.matches && $0.quantity.hasPrefix("KV") }
    #expect(wrong.map(\.publishedText) == ["13.7×", "10 %"])
    #expect(wrong.first?.computedText == "13.567×")
  }

  /// A configuration that differs in one number is another model, about which nothing has been published.
  @Test func onlyThePublishedConfigurationsAreHeldToNumbers() throws {
    let other = try ModelCost(.flash.with { $0.indexTopK = 1024 }, name: "other")
    let report = try CostReport([other], baseline: model(.v32), context: million, .fp8Equivalent, .serving)
    #expect(report.published.isEmpty)
    #expect(report.passed)
    #expect(try model(.flash).release == .flash)
  }

  @Test func aReportWithOneWrongNumberFails() throws {
    let report = try CostReport([model(.flash)], baseline: model(.v32), context: million, .raw, .serving)
    #expect(!report.passed)
  }

  /// 13.65 and 13.75 are the ends of what rounds to 13.7; what is no number matches nothing.
  @Test(arguments: [
    (13.7, 1, 13.666, true), (13.6, 1, 13.666, false), (13.8, 1, 13.666, false), (13.7, 1, 13.649, false),
    (13.7, 1, 13.751, false), (10, 0, 10.4, true), (10, 0, 10.6, false), (10, 0, 9.4, false), (7, 0, .nan, false),
    (7, 0, .infinity, false),
  ])
  func aMatchIsWhatRoundsToThePublishedDecimals(
    published: Double, decimals: Int, computed: Double, matches: Bool
  ) throws {
    let number = PublishedNumber(.flash, "", published, decimals: decimals, .times, from: "") { _ in computed }
    let comparison = try CostComparison(model(.flash), baseline: model(.v32), .raw, .serving)
    #expect(number.judged(comparison).matches == matches)
  }
}
