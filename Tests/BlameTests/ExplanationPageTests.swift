import Blame
import DeepSeekV4
import Foundation
import KnownBugs
import Taps
import Tensors
import TestSupport
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// Explanations as pages: of a right trace, of a wrong one, and of one that was made to break the page.
@Suite struct ExplanationPageTests {
  private static let scenario = Scenario.all[1]

  private static func explanation(_ trace: MemoryTrace, names: Bool = false) throws -> Explanation {
    var options = ExplanationOptions()
    options.names = names
    return try Explanation(trace, options: options) { steps in
      try scenario.model(steps, angles: .float32)
    }
  }

  private static func page(_ explanation: Explanation, _ name: String = "some/trace.h5", url: String? = nil) -> String {
    ExplanationPage(explanation, name: name, sources: StepSources(), sourceURL: url).html
  }

  private static func trace(_ bug: String? = nil) throws -> MemoryTrace {
    let steps = try bug.map { id in try #require(KnownBug.all.first { $0.id == id }?.steps) } ?? StepSet()
    return try scenario.trace(steps)
  }

  /// What an XML parser reads: how often each element occurs, and all text.
  private final class Reading: NSObject, XMLParserDelegate {
    var elements: [String: Int] = [:]
    var classes: [String: Int] = [:]
    var text = ""
    // On Linux the parser goes on where a tag is not closed, and says nothing.
    private var open: [String] = []
    private var isBalanced = true

    init(_ page: String) throws {
      super.init()
      let parser = XMLParser(data: Data(page.utf8))
      parser.delegate = self
      let isWellFormed = parser.parse() && open.isEmpty && isBalanced
      try #require(isWellFormed, "line \(parser.lineNumber): \(String(describing: parser.parserError))")
    }

    func parser(
      _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
      attributes: [String: String]
    ) {
      open.append(name)
      elements[name, default: 0] += 1
      for word in attributes["class"]?.split(separator: " ") ?? [] { classes["\(name).\(word)", default: 0] += 1 }
    }

    func parser(
      _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
    ) {
      if open.popLast() != name { isBalanced = false }
    }

    func parser(_ parser: XMLParser, parseErrorOccurred parseError: any Error) { isBalanced = false }

    func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
  }

  @Test func rightTrace() throws {
    let explanation = try Self.explanation(Self.trace())
    try #require(explanation.passed)
    let page = Self.page(explanation)
    let reading = try Reading(page)
    #expect(reading.text.contains("PASSED"))
    #expect(reading.text.contains("some/trace.h5"))
    for section in ["id=\"map\"", "id=\"drift\""] { #expect(page.contains(section)) }
    for section in ["id=\"steps\"", "id=\"bugs\"", "id=\"unjudged\""] { #expect(!page.contains(section)) }
    // One cell for each name, and none of them in the colours of errors beyond the legend's one each.
    let cells = (0..<10).map { reading.classes["rect.k\($0)"] ?? 0 }
    #expect(cells.dropFirst(3) == Array(repeating: 1, count: 7)[...])
    let names = Set(explanation.results.map { $0.name.replacingOccurrences(of: ".unrounded", with: "") })
    let legend = 3 + 1  // and the tie
    #expect(cells.prefix(3).reduce(0, +) == names.count + legend)
    #expect(reading.elements["circle"] == explanation.drift.count + 1)
  }

  @Test func wrongTrace() throws {
    let trace = try Self.trace("mhc-post-like-pre").keeping { !$0.hasSuffix("mixes") }
    let explanation = try Self.explanation(trace, names: true)
    let first = try #require(explanation.guilty.first)
    let finding = try #require(explanation.findings.first)
    try #require(finding.bugs.contains("mhc-post-like-pre") && !first.between.isEmpty)
    let page = Self.page(explanation, url: "https://example.org/blob/main")
    let reading = try Reading(page)
    for part in [
      "FAILED", first.first.name, first.equation, first.step, finding.wrong, finding.right, first.between[0].name,
      "layers.{l}.hc_attn.mixes", "0–\(explanation.layers - 1)",
    ] { #expect(reading.text.contains(part), "\(part)") }
    for id in ["steps", "bugs", "map", "drift", "unjudged"] { #expect(page.contains("id=\"\(id)\"")) }
    for reference in finding.references { #expect(page.contains("<a href=\"\(reference)\">")) }
    #expect(page.contains("<a href=\"https://example.org/blob/main/docs/equations.md\">"))
    let file = "Sources/HyperConnections/HyperConnectionSteps+Mixing.swift"
    #expect(page.contains("<a href=\"https://example.org/blob/main/\(file)#L"))
    #expect((reading.classes["rect.first"] ?? 0) == explanation.guilty.count + 1)
    // In every layer and site both, and the MTP block.
    let wrong = (3..<10).reduce(0) { $0 + (reading.classes["rect.k\($1)"] ?? 0) } - 7
    let names = Set(explanation.results.filter { $0.verdict == .wrong }.map(\.name))
    #expect(wrong == names.count)
    let missing = (reading.classes["rect.missing"] ?? 0) - 1
    #expect(missing == explanation.missing.count)
  }

  @Test func errorsByRow() throws {
    let explanation = try Self.explanation(Self.trace("mhc-post-like-pre"))
    let guilty = try #require(explanation.guilty.first)
    #expect(guilty.after == ["layers.0.hc_attn.mixes"] && guilty.between.isEmpty)
    let first = guilty.first
    let rows = try #require(first.rows)
    #expect(rows.rows == explanation.calls[first.call].tokens)
    #expect(rows.stride == 1)
    #expect(rows.errors.map(\.value).max() == first.error.value)
    #expect(rows.errors[first.index[0]].value == first.error.value)
    #expect(explanation.results.allSatisfy { $0.rows == nil })
    let reading = try Reading(Self.page(explanation))
    let bars = explanation.guilty.reduce(0) { $0 + ($1.first.rows?.errors.count ?? 0) }
    #expect((reading.classes["rect.bad"] ?? 0) + (reading.classes["rect.good"] ?? 0) == bars)
  }

  @Test func oneLayerAloneIsComputedFromTheStreamsBeforeIt() throws {
    let trace = try Self.trace("mhc-post-like-pre").keeping { !$0.hasSuffix("mixes") }
    var options = ExplanationOptions()
    options.names = false
    options.replay.parts = [.layer(1)]
    let explanation = try Explanation(trace, options: options) { steps in
      try Self.scenario.model(steps, angles: .float32)
    }
    let first = try #require(explanation.guilty.first)
    #expect(first.after == ["layers.0.hc_ffn.streams"])
    let reading = try Reading(Self.page(explanation))
    #expect(reading.text.contains("The fault lies after layers.0.hc_ffn.streams and not after layers.1.hc_attn.post."))
    #expect(!reading.text.contains("layer 2"))
  }

  @Test func withoutSourceURLNothingIsLinked() throws {
    let page = Self.page(try Self.explanation(Self.trace("mhc-post-like-pre")))
    #expect(page.contains("<code>Sources/HyperConnections/HyperConnectionSteps+Mixing.swift:"))
    #expect(!page.contains("<a "))
  }

  @Test func nothingIsLoadedAndNothingRuns() throws {
    let page = Self.page(try Self.explanation(Self.trace("mhc-post-like-pre"), names: true))
    let reading = try Reading(page)
    for element in ["script", "link", "img", "iframe", "object", "image", "use"] {
      #expect(reading.elements[element] == nil, "\(element)")
    }
    for text in ["@import", "src=", "url(http", "@font-face"] { #expect(!page.contains(text), "\(text)") }
    #expect(page.contains("default-src 'none'"))
  }

  @Test func hostileNames() throws {
    let hostile = "<script>alert(1)</script>&amp;\"'\u{1}\u{202E}\u{FFFE}]]>"
    let trace = try Self.trace()
    trace.record(hostile, tap: Tap.logits, .doubles(try Tensor(shape: [1], elements: [0])))
    let explanation = try Self.explanation(trace)
    #expect(!explanation.passed && explanation.guilty.isEmpty)
    let page = Self.page(explanation, "folder/\(hostile)", url: "https://example.org/\(hostile)")
    let reading = try Reading(page)
    #expect(reading.elements["script"] == nil)
    #expect(!page.lowercased().contains("<script"))
    for scalar in ["\u{1}", "\u{202E}", "\u{FFFE}"] { #expect(!page.contains(scalar)) }
    #expect(reading.text.contains("<script>alert(1)</script>&amp;\"'\\u{1}\\u{202e}\\u{fffe}]]>"))
    #expect(reading.text.contains("the trace has 1 name that the model lacks"))
  }

  @Test func whatIsNoNumber() throws {
    let trace = try Self.trace()
    let (name, next) = ("layers.1.attn.output", "layers.1.hc_attn.streams")
    let broken = MemoryTrace(precision: trace.precision, numerics: trace.numerics, angles: trace.angles)
    for (index, call) in trace.calls.enumerated() {
      broken.begin(start: call.start, tokenIDs: call.tokenIDs)
      for other in call.names {
        let tap = try #require(Tap.named(other))
        let value = try #require(trace.tensor(other, call: index))
        guard index == 0, other == name || other == next else {
          broken.record(other, tap: tap, value)
          continue
        }
        var elements = try #require(value.reals(Double.self)).elements
        elements[0] = other == name ? .nan : elements[0] + 1
        let shape = try #require(value.reals(Double.self)).shape
        broken.record(other, tap: tap, .doubles(try Tensor(shape: shape, elements: elements)))
      }
    }
    let explanation = try Self.explanation(broken)
    let first = try #require(explanation.guilty.first)
    #expect(first.first.name == name)
    // Quantized values are not there in these numerics.
    #expect(first.after == ["layers.1.attn.group_latents"])
    #expect(first.first.rows?.errors[0].value.isNaN == true)
    #expect(!explanation.guilty.contains { $0.first.name == next })
    let reading = try Reading(Self.page(explanation))
    #expect(reading.text.contains("NaN or infinity in the wrong place"))
    #expect((reading.classes["rect.inherited"] ?? 0) > 1)
    #expect((reading.classes["rect.k9"] ?? 0) > 1)
  }

  @Test func theSameBytes() throws {
    let trace = try Self.trace("mhc-post-like-pre")
    let pages = try (0..<2).map { _ in Self.page(try Self.explanation(trace)) }
    #expect(pages[0] == pages[1])
  }

  @Test func theOptionNamesAFile() throws {
    try withTemporaryFolder { folder in
      for target in [folder, "\(folder)/none/page.html", "", "-"] {
        let run = try oracle("explain", "\(folder)/trace.h5", "--checkpoint", folder, "--html", target)
        #expect(run.status == 2)
        #expect(run.errors.contains("--html must name a file in a folder that is there"), "\(run.errors)")
      }
      for options in [
        ["--source-url", "https://example.org"], ["--html", "\(folder)/p.html", "--source-url", "javascript:x"],
      ] {
        let run = try oracle(["explain", "\(folder)/trace.h5", "--checkpoint", folder] + options)
        #expect(run.status == 2)
        #expect(run.errors.contains("--source-url"), "\(run.errors)")
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
    }
  }

  @Test func theCommandWritesThePage() throws {
    try withTemporaryFolder { folder in
      let made = try oracle(
        "checkpoint", "synthesize", "--preset", "tiny", "--format", "float32", "--out", "\(folder)/tiny")
      #expect(made.status == 0)
      let traced = try oracle(
        "trace", "--checkpoint", "\(folder)/tiny", "--text-ids", "1,2,3,4,5,6", "--out", "\(folder)/trace.h5")
      #expect(traced.status == 0)
      let run = try oracle(
        "explain", "\(folder)/trace.h5", "--checkpoint", "\(folder)/tiny", "--html", "\(folder)/page.html")
      #expect(run.status == 0)
      let page = try String(contentsOfFile: "\(folder)/page.html", encoding: .utf8)
      #expect(try Reading(page).text.contains("PASSED"))
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["page.html", "tiny", "trace.h5"])
    }
  }
}
