import Foundation

extension JSONValue {
  /// The first key that stands twice in one object, or nil. The decoder keeps one of the two without a word.
  ///
  /// - Parameter json: a text that the decoder has accepted
  static func firstRepeatedKey(in json: [UInt8]) -> String? {
    /// The keys so far of each open object, nil for an open array.
    var open: [Set<String>?] = []
    var isKey = false
    var position = 0
    while position < json.count {
      switch json[position] {
      case UInt8(ascii: "{"):
        open.append([])
        isKey = true
      case UInt8(ascii: "["):
        open.append(nil)
        isKey = false
      case UInt8(ascii: "}"), UInt8(ascii: "]"): _ = open.popLast()
      case UInt8(ascii: ","): isKey = open.last.map { $0 != nil } ?? false
      case UInt8(ascii: ":"): isKey = false
      case UInt8(ascii: "\""):
        let end = endOfString(in: json, from: position)
        if isKey, let last = open.indices.last {
          let key = string(json[position..<end])
          if open[last]?.insert(key).inserted == false { return key }
        }
        position = end - 1
      default: break
      }
      position += 1
    }
    return nil
  }

  /// The position after the closing quote.
  private static func endOfString(in json: [UInt8], from start: Int) -> Int {
    var position = start + 1
    while position < json.count, json[position] != UInt8(ascii: "\"") {
      position += json[position] == UInt8(ascii: "\\") ? 2 : 1
    }
    return min(position + 1, json.count)
  }

  /// The characters of a string with its quotes, so that `"\u0061"` and `"a"` are one key.
  private static func string(_ quoted: ArraySlice<UInt8>) -> String {
    (try? JSONDecoder().decode(String.self, from: Data(quoted))) ?? String(decoding: quoted, as: UTF8.self)
  }
}
