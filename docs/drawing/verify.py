"""docs/verify.svg: what `make verify` says, as a picture. Each component, how many cases it has, and how near the worst of
them comes to its tolerance, on both paths."""

import math
from typing import Any
from xml.sax.saxutils import escape

from drawing.svg import STYLE

LEFT, COUNT, RIGHT, ROW, TOP = 250, 60, 30, 30, 96
AXIS = 440
DECADES = 6  # the axis goes from 10⁻⁶ to 1
OWN = """
    .float { fill: #2f6db0 }
    .double { fill: #b06a10 }
    .limit { stroke: #b3261e; stroke-width: 1.6 }
    .grid { stroke: #d5d9de; stroke-width: 1 }
    @media (prefers-color-scheme: dark) {
      .float { fill: #6aa5e3 }
      .double { fill: #e0a24a }
      .limit { stroke: #f2776d }
      .grid { stroke: #333b44 }
    }
"""


def verify_picture(report: dict[str, Any]) -> str:
    """The file, from what `v4-oracle verify --json` writes."""
    rows: dict[str, dict[str, list[float]]] = {}
    for result in report["results"]:
        multiples = [compared["multiple"] for compared in result["comparisons"]]
        path = rows.setdefault(result["component"], {}).setdefault(result["path"], [])
        path.append(max([float(multiple) for multiple in multiples], default=0.0))
    height = TOP + ROW * len(rows) + 56
    width = LEFT + COUNT + AXIS + RIGHT
    coverage = report["coverage"]
    title = (
        f"{coverage['cases']} golden cases, {coverage['equationsCovered']} of {coverage['equations']} equations, "
        f"{coverage['bugsKilled']} of {coverage['visibleBugs']} visible known bugs"
    )
    body = [f'  <rect class="ground" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="10"/>']
    body.append(f'  <text class="title" x="{width / 2}" y="34" text-anchor="middle">{escape(title)}</text>')
    body += _legend()
    body.append(f'  <text class="note" x="{LEFT + 44}" y="{TOP - 10}" text-anchor="end">cases</text>')
    bottom = TOP + ROW * len(rows)
    for decade in range(-DECADES, 1):
        x = _place(10.0**decade)
        kind = "limit" if decade == 0 else "grid"
        body.append(f'  <line class="{kind}" x1="{x}" y1="{TOP - 4}" x2="{x}" y2="{bottom + 4}"/>')
        label = "1" if decade == 0 else f"10{str(decade).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"
        body.append(f'  <text class="note" x="{x}" y="{bottom + 20}" text-anchor="middle">{label}</text>')
    middle = LEFT + COUNT + AXIS / 2 - 24
    body.append(
        f'  <text class="note" x="{middle:.1f}" y="{bottom + 42}" text-anchor="middle">'
        "worst error of a component ÷ its measured tolerance (1 is the limit)</text>"
    )
    for index, (component, paths) in enumerate(sorted(rows.items())):
        body += _row(component, paths, TOP + ROW * index)
    view = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    first = f'<svg xmlns="http://www.w3.org/2000/svg" {view} role="img" aria-label="{escape(title)}">'
    return "\n".join([first, f"  <title>{escape(title)}</title>", f"  <style>{STYLE}{OWN}  </style>", *body, "</svg>", ""])


def _place(multiple: float) -> float:
    share = 1 + math.log10(max(multiple, 10.0**-DECADES)) / DECADES
    return round(LEFT + COUNT + AXIS * min(share, 1.0), 1)


def _row(component: str, paths: dict[str, list[float]], top: float) -> list[str]:
    lines = [f'  <text class="name" x="24" y="{top + 19}">{component}</text>']
    count = max(len(worst) for worst in paths.values())
    lines.append(f'  <text class="note" x="{LEFT + 44}" y="{top + 19}" text-anchor="end">{count}</text>')
    start = _place(0)
    worst = {path: max(multiples) for path, multiples in paths.items()}
    for path, y in (("float", top + 4), ("double", top + 15)):
        if worst[path] > 0:
            length = _place(worst[path]) - start
            lines.append(f'  <rect class="{path}" x="{start}" y="{y}" width="{length:.1f}" height="9"/>')
    if not any(worst.values()):
        lines.append(f'  <text class="note" x="{start + 4}" y="{top + 19}">right to the bit on both paths</text>')
    return lines


def _legend() -> list[str]:
    return [
        f'  <rect class="float" x="{LEFT + COUNT}" y="54" width="22" height="9"/>'
        f'<text class="note" x="{LEFT + COUNT + 28}" y="63">float32 path</text>',
        f'  <rect class="double" x="{LEFT + COUNT + 150}" y="54" width="22" height="9"/>'
        f'<text class="note" x="{LEFT + COUNT + 178}" y="63">float64 path</text>',
    ]
