import Conformance
import CostModel
import Foundation

extension CostReport {
  /// What is printed: one table for each quantity, then the published numbers and the verdict.
  var text: String {
    let parts = models.compactMap(\.checkpointText) + [parameterText, cacheText, flopsText, contextText]
    return (parts + (published.isEmpty ? [] : [publishedText])).joined(separator: "\n\n")
  }

  private var parameterText: String {
    var table = TextTable([("parameters", .left)] + models.map { ($0.name, .right) })
    func append(_ label: String, _ count: (CostOfModel.Parameters) -> Int?) {
      table.append([label] + models.map { count($0.parameters).map(grouped) ?? "" })
    }
    for group in TensorGroup.allCases where group != .multiTokenPrediction && group != .hashTables {
      append(group.rawValue) { parameters in parameters.groups.first { $0.group == group }?.count }
    }
    append("total without MTP") { $0.total }
    append("MTP") { $0.multiTokenPrediction }
    append("activated, with LM head, without embedding") { $0.activated }
    append("activated, with both") { $0.activatedWithEmbedding }
    return "PARAMETERS  scales and hash tables are none\n\n\(table.text)"
  }

  private var cacheText: String {
    var table = TextTable([
      ("KV cache", .left), ("format", .left), ("B/entry", .right), ("B/index key", .right), ("B/token", .right),
      ("GB without windows", .right), ("GB", .right), ("of V3.2", .right), ("smaller", .right),
      ("of BF16 GQA 8 × 128", .right),
    ])
    for model in models {
      for cache in model.caches {
        table.append([
          model.name, cache.format, "\(cache.entryBytes)", "\(cache.indexKeyBytes)", decimal(cache.bytesPerToken, 2),
          significant(cache.bytesWithoutWindows / 1e9, 4), significant(cache.bytes / 1e9, 4), percent(cache.ofV32),
          decimal(1 / cache.ofV32, 3) + "×", percent(cache.ofGroupedQueries),
        ])
      }
    }
    return "KV CACHE at \(grouped(context)) tokens, GB = 10⁹ bytes\n\n\(table.text)"
  }

  private var flopsText: String {
    let names = WorkComponent.all.map(\.name)
    let components = flopsTable(
      names.filter { name in models.contains { $0.flops.parts.contains { $0.component == name } } }
        .map { name in (name, { flops in flops.parts.first { $0.component == name }?.flops }) })
    let sums = flopsTable([
      ("all weights (GEMM)", { $0.weights }), ("window and selected", { $0.windowAndSelected }),
      ("HCA", { $0.heavilyCompressed }), ("indexer", { $0.indexScores }), ("total", { $0.total }),
    ])
    let shares = models.map { "\($0.name) \(percent($0.flops.ofV32))" }.joined(separator: ", ")
    return """
      FLOPS at \(grouped(context)) tokens, counted \(count)

      \(components)

      \(sums)

        of V3.2: \(shares)
      """
  }

  /// - Parameter rows: what is shown of each model; nil for what it has not
  private func flopsTable(_ rows: [(label: String, flops: (CostOfModel.Operations) -> Double?)]) -> String {
    var table = TextTable([("GFLOPs of a token", .left)] + models.flatMap { [($0.name, .right), ("%", .right)] })
    for row in rows {
      let cells = models.flatMap { model -> [String] in
        guard let flops = row.flops(model.flops) else { return ["", ""] }
        return [decimal(flops / 1e9, 3), decimal(100 * flops / model.flops.total, 1)]
      }
      table.append([row.label] + cells)
    }
    return table.text
  }

  private var contextText: String {
    var table = TextTable(
      [("context", .right)]
        + models.flatMap { [("\($0.name) G", .right), ("%", .right), ("GB", .right), ("%", .right)] })
    for context in Self.tableContexts {
      let costs = contexts.filter { $0.context == context }
      table.append(
        [grouped(context)]
          + costs.flatMap {
            [
              decimal($0.flops / 1e9, 1), decimal(100 * $0.flopsOfV32, 1), significant($0.cacheBytes / 1e9, 4),
              decimal(100 * $0.cacheOfV32, 1),
            ]
          })
    }
    return "OVER THE CONTEXT  GFLOPs of a token (\(count)) and GB of KV cache (\(kv)), % of V3.2\n\n\(table.text)"
  }

  private var publishedText: String {
    var table = TextTable([
      ("model", .left), ("published number", .left), ("computed", .right), ("published", .right), ("match", .left),
      ("source", .left),
    ])
    for verdict in published {
      table.append([
        verdict.model, verdict.quantity, verdict.computedText, verdict.publishedText, verdict.matches ? "yes" : "NO",
        verdict.source,
      ])
    }
    let matching = published.count(where: \.matches)
    let rules = "counted \(count), cache \(kv)"
    return """
      PUBLISHED NUMBERS  \(rules)

      \(table.text)

      \(passed ? "PASSED" : "FAILED")  \(matching) of \(published.count) published numbers come out
      """
  }
}

extension CostOfModel {
  /// The inventory, by part and storage type; nil without one.
  fileprivate var checkpointText: String? {
    guard let checkpoint else { return nil }
    var table = TextTable([
      ("part", .left), ("type", .left), ("tensors", .right), ("elements", .right), ("bytes", .right), ("%", .right),
    ])
    func append(_ part: String, _ type: String, _ rows: [CheckpointInventory.Row]) {
      let bytes = rows.reduce(0) { $0 + $1.bytes }
      table.append([
        part, type, grouped(rows.reduce(0) { $0 + $1.tensors }), grouped(rows.reduce(0) { $0 + $1.elements }),
        grouped(bytes), decimal(100 * Double(bytes) / Double(checkpoint.bytes), 2),
      ])
    }
    for row in checkpoint.rows { append(row.group.rawValue, row.type, [row]) }
    for type in checkpoint.rows.map(\.type).uniqued() {
      append("all", type, checkpoint.rows.filter { $0.type == type })
    }
    append("all", "", checkpoint.rows)
    return "CHECKPOINT of \(name), tensor data without the headers of the files\n\n\(table.text)"
  }
}

extension Array where Element: Hashable {
  /// Each element once, in the order in which it first occurs.
  fileprivate func uniqued() -> [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}

/// 284,332,240,471
private func grouped(_ number: Int) -> String { number.formatted(.number.locale(Locale(identifier: "en_US"))) }

private func decimal(_ number: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", number) }

private func percent(_ share: Double) -> String { decimal(100 * share, 2) + " %" }
