import Foundation
import TestSupport
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite struct CostFigureTests {
  @Test(arguments: [
    [], ["--preset", "tiny", "--context", "1"], ["--preset", "flash", "--preset", "tiny", "--context", "4294967296"],
    ["--preset", "tiny-deployed", "--preset", "flash-3-layers", "--context", "7"], ["--count", "raw", "--kv", "bf16"],
  ])
  func theDrawingIsWellFormedAndNothingIsCutOff(arguments: [String]) throws {
    try withTemporaryFolder { folder in
      let run = try oracle(["cost", "--svg", folder + "/x.svg"] + arguments)
      #expect(run.status == (arguments.contains("raw") ? 1 : 0))
      let drawing = Drawing()
      let parser = XMLParser(data: try Data(contentsOf: URL(fileURLWithPath: folder + "/x.svg")))
      parser.delegate = drawing
      let isWellFormed = parser.parse() && drawing.isBalanced
      #expect(isWellFormed, "\(String(describing: parser.parserError))")
      #expect(drawing.texts.count { $0.text.hasPrefix("context in tokens") } == 2)
      #expect(drawing.texts.contains { $0.text.hasSuffix("FLOPs") })
      #expect(drawing.texts.contains { $0.text.contains("bytes)") })
      #expect(drawing.curves == 2 * (arguments.isEmpty || arguments[0] == "--count" ? 3 : arguments.count / 2 - 1))
      for text in drawing.texts {
        let isInside = text.left >= 0 && text.right <= drawing.width && (12...drawing.height - 4).contains(text.y)
        #expect(isInside, "\(text)")
      }
      for (index, first) in drawing.texts.enumerated() {
        for second in drawing.texts[(index + 1)...] { #expect(!first.meets(second), "\(first) and \(second)") }
      }
    }
  }
}

/// The texts of a drawing and about how much room they take.
private final class Drawing: NSObject, XMLParserDelegate {
  struct Text {
    var text = ""
    let x, y: Double
    let anchor: String

    /// The widest of the usual fonts takes 8.2 pixels for a letter of this size, and 9.4 for one of a title.
    var width: Double { Double(text.count) * (y < 30 ? 9.4 : 8.2) }
    var left: Double { anchor == "end" ? x - width : anchor == "middle" ? x - width / 2 : x }
    var right: Double { left + width }

    func meets(_ other: Text) -> Bool {
      abs(y - other.y) < 13 && left < other.right && other.left < right
    }
  }

  var texts: [Text] = []
  var curves = 0
  var (width, height) = (0.0, 0.0)
  private var isInText = false
  // On Linux the parser goes on where a tag is not closed, and says nothing.
  private var open: [String] = []
  private var wasClosedWrongly = false
  var isBalanced: Bool { open.isEmpty && !wasClosedWrongly && curves > 0 }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
    attributes: [String: String]
  ) {
    open.append(name)
    func number(_ key: String) -> Double { attributes[key].flatMap(Double.init) ?? .nan }
    switch name {
    case "svg": (width, height) = (number("width"), number("height"))
    case "polyline":
      curves += 1
      if attributes["points"]?.contains("nan") != false || attributes["points"]?.contains("inf") != false {
        curves = -99
      }
    case "text":
      isInText = true
      texts.append(Text(x: number("x"), y: number("y"), anchor: attributes["text-anchor"] ?? "start"))
    default: break
    }
  }

  func parser(_ parser: XMLParser, foundCharacters string: String) {
    if isInText { texts[texts.count - 1].text += string }
  }

  func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
    if open.popLast() != name { wasClosedWrongly = true }
    if name == "text" { isInText = false }
  }
}
