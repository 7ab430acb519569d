extension ExplanationPage {
  /// Calm colours for what is right, ever stronger ones for what is wrong; they differ in lightness, too, and the page
  /// follows the reader's choice of light or dark.
  static let style: Markup = """

    :root { --paper: #ffffff; --card: #f6f7f9; --line: #d5d9e0; --ink: #1c2128; --dim: #5b6470; --link: #0a5cc2;
      --good: #4a86c5; --bad: #d1362b; --passed: #1a7f4b; --inherited: #b3b8c0; --hatch: #a9b0bb;
      --k0: #e3edf7; --k1: #c6dcf0; --k2: #9cc3e6; --k3: #ffe08a; --k4: #fdbf5e; --k5: #fb9b45; --k6: #f26f37;
      --k7: #d9402f; --k8: #ad1e3c; --k9: #6b0f3f; }
    @media (prefers-color-scheme: dark) {
      :root { --paper: #14171b; --card: #1d2127; --line: #3a414b; --ink: #e4e8ed; --dim: #9aa4b1; --link: #79b4ff;
        --good: #5f9bd8; --bad: #ff6a5e; --passed: #4cc38a; --inherited: #6a717c; --hatch: #59616d;
        --k0: #1d3040; --k1: #234258; --k2: #2c5a7a; --k3: #7d6a22; --k4: #a07a1f; --k5: #bd7d22; --k6: #e08330;
        --k7: #f5683f; --k8: #ff4a6c; --k9: #ff8fe0; } }
    * { box-sizing: border-box; }
    body { margin: 0 auto; padding: 1.5rem; max-width: 84rem; background: var(--paper); color: var(--ink);
      font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
    code, .map text { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
    code { font-size: 0.92em; }
    a { color: var(--link); }
    h1 { margin: 0 0 0.5rem; font-size: 1.6rem; }
    h2 { margin: 2.2rem 0 0.4rem; font-size: 1.25rem; }
    h3 { margin: 1.2rem 0 0.4rem; font-size: 1rem; }
    .note, .dim { color: var(--dim); }
    .note { margin: 0.2rem 0 0.8rem; max-width: 60rem; }
    .verdict { padding: 0.6rem 0.9rem; border-left: 5px solid; background: var(--card); }
    .verdict.passed { border-color: var(--passed); }
    .verdict.failed { border-color: var(--bad); }
    .passed strong { color: var(--passed); }
    .failed strong, .problem, .times { color: var(--bad); }
    .facts { display: flex; flex-wrap: wrap; gap: 0.6rem 2rem; margin: 1rem 0; }
    .facts dt { color: var(--dim); font-size: 0.85em; }
    .facts dd { margin: 0; }
    .card { margin: 0.7rem 0; padding: 0.7rem 1rem; border: 1px solid var(--line); border-radius: 6px;
      background: var(--card); }
    .card h3 { margin-top: 0; }
    .card summary { font-size: 1.05rem; font-weight: 600; cursor: pointer; }
    .number { color: var(--dim); margin-right: 0.3rem; }
    .times { font-size: 0.9rem; margin-left: 0.6rem; white-space: nowrap; }
    .beside { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; align-items: flex-start; }
    table { border-collapse: collapse; }
    .numbers th { padding: 0.1rem 1.2rem 0.1rem 0; color: var(--dim); font-weight: normal; text-align: left;
      vertical-align: top; white-space: nowrap; }
    .numbers td { padding: 0.1rem 0; font-variant-numeric: tabular-nums; }
    .list th { color: var(--dim); font-weight: normal; text-align: left; }
    .list th, .list td { padding: 0.15rem 1.2rem 0.15rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
    .dump { margin: 0.2rem 0 0.4rem; }
    .card .dump summary { font-size: inherit; font-weight: normal; }
    .dump ul { margin: 0.2rem 0; padding-left: 1.6rem; }
    .wide { overflow-x: auto; max-width: 100%; }
    svg { display: block; }
    .beside svg, .plot { max-width: 100%; height: auto; }
    .wide .plot { max-width: none; }
    svg text { fill: var(--ink); font-size: 11px; }
    .map text { font-size: 9.5px; fill: var(--dim); }
    svg .power { font-size: 8px; }
    .hidden { position: absolute; }
    .legend { display: flex; flex-wrap: wrap; gap: 0.2rem 1rem; margin: 0.3rem 0; padding: 0; list-style: none; font-size: 0.88rem; }
    .legend li { display: flex; align-items: center; gap: 0.35rem; }
    .k0 { fill: var(--k0); } .k1 { fill: var(--k1); } .k2 { fill: var(--k2); } .k3 { fill: var(--k3); }
    .k4 { fill: var(--k4); } .k5 { fill: var(--k5); } .k6 { fill: var(--k6); } .k7 { fill: var(--k7); }
    .k8 { fill: var(--k8); } .k9 { fill: var(--k9); }
    .inherited { fill: var(--inherited); }
    .missing { fill: url(#hatch); stroke: var(--line); stroke-width: 0.6; }
    .hatchline { fill: var(--hatch); }
    .first { stroke: var(--ink); stroke-width: 1.6; }
    .legend .first { fill: none; }
    .tie { fill: var(--paper); stroke: var(--ink); stroke-width: 1; }
    .grid { stroke: var(--line); stroke-width: 1; }
    .budget { stroke: var(--ink); stroke-width: 1.2; stroke-dasharray: 4 3; }
    .good { fill: var(--good); } .bad { fill: var(--bad); }
    .curve { fill: none; stroke: var(--dim); stroke-width: 1.5; }
    .hollow { fill: var(--paper); stroke: var(--dim); stroke-width: 1.5; }

    """
}
