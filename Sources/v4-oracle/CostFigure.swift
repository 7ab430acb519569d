import Blame
import CostModel

/// The report's Figure 1 recomputed: operations and cache over the context, side by side.
///
/// The drawing stands alone, follows the reader's choice of light or dark, and tells curves apart without colours, too.
struct CostFigure {
  private let curves: [CostCurve]
  private let (count, kv): (CountingRule, CacheFormat)

  private static let (width, height) = (1110, 440)

  init(_ curves: [CostCurve], _ count: CountingRule, _ kv: CacheFormat) {
    self.curves = curves
    (self.count, self.kv) = (count, kv)
  }

  var svg: Markup {
    let units = CostScale.Unit.self
    let flops = CostPanel(
      "FLOPs of one token (\(count.rawValue))", curves, left: 62, units.flops
    ) { $0.flops.total }
    let cache = CostPanel(
      "KV cache of one sequence (\(kv.rawValue))", curves, left: 612, units.bytes
    ) { $0.cache.bytes }
    return """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(Self.width)" height="\(Self.height)" \
      viewBox="0 0 \(Self.width) \(Self.height)" role="img" aria-label="FLOPs and key-value cache over the context">
      \(Self.style)
      <rect class="paper" width="\(Self.width)" height="\(Self.height)"/>
      \(flops.svg)
      \(cache.svg)
      </svg>

      """
  }

  private static let style: Markup = """
    <style>
    :root { --paper: #ffffff; --line: #d5d9e0; --ink: #1c2128; --c0: #0a62c4; --c1: #b3261e; --c2: #3f7a1f; --c3: #7a3fb0; }
    @media (prefers-color-scheme: dark) {
      :root { --paper: #14171b; --line: #3a414b; --ink: #e4e8ed; --c0: #79b4ff; --c1: #ff8a80; --c2: #93d36f; --c3: #c9a3f5; } }
    .paper { fill: var(--paper); } .grid { stroke: var(--line); }
    text { fill: var(--ink); font: 13px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
    .title { font-size: 15px; font-weight: 600; }
    .curve { fill: none; stroke-width: 2.2; }
    .c0 { stroke: var(--c0); } .c1 { stroke: var(--c1); stroke-dasharray: 9 4; }
    .c2 { stroke: var(--c2); stroke-dasharray: 2 4; } .c3 { stroke: var(--c3); stroke-dasharray: 12 4 2 4; }
    </style>
    """
}
