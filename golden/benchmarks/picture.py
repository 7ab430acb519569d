"""A picture of ratios as SVG: a bar for each kernel on a logarithmic axis, a mark where its target is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from xml.sax.saxutils import escape

LEFT, RIGHT, TOP, ROW, PLOT = 330.0, 130.0, 74.0, 26.0, 560.0
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
STYLE = """
:root { --paper: #ffffff; --line: #d5d9e0; --ink: #1c2128; --met: #0a62c4; --below: #b3261e; --mark: #1c2128; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171b; --line: #3a414b; --ink: #e4e8ed; --met: #79b4ff; --below: #ff8a80; --mark: #ffffff; } }
.paper { fill: var(--paper); } .grid { stroke: var(--line); } .one { stroke: var(--ink); }
text { fill: var(--ink); font: 13px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
.title { font-size: 15px; font-weight: 600; }
.met { fill: var(--met); } .below { fill: none; stroke: var(--below); stroke-width: 2; stroke-dasharray: 5 3; }
.mark { stroke: var(--mark); stroke-width: 3; }
"""


@dataclass(frozen=True)
class Bar:
    """A ratio and its target, both positive."""

    label: str
    value: float
    target: float
    met: bool


def axis(bars: list[Bar]) -> tuple[float, float]:
    """The ticks that hold every ratio, every target, and 1."""
    values = [number for bar in bars for number in (bar.value, bar.target)] + [1.0]
    low = max((tick for tick in TICKS if tick <= min(values)), default=TICKS[0])
    high = min((tick for tick in TICKS if tick >= max(values)), default=TICKS[-1])
    return low, high if high > low else TICKS[TICKS.index(low) + 1]


def picture(bars: list[Bar], title: str) -> str:
    """The whole file. Bars beyond the axis end at its edge; their numbers are written beside them."""
    low, high = axis(bars)

    def place(value: float) -> float:
        share = math.log(min(max(value, low), high) / low) / math.log(high / low)
        return LEFT + PLOT * share

    width, height = LEFT + PLOT + RIGHT, TOP + ROW * len(bars) + 44
    bottom = TOP + ROW * len(bars)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{width:.0f}" height="{height:.0f}"/>',
        f'<text class="title" x="24" y="28">{escape(title)}</text>',
        *legend(LEFT),
    ]
    for tick in (tick for tick in TICKS if low <= tick <= high):
        kind = "one" if tick == 1 else "grid"
        x = f"{place(tick):.1f}"
        lines.append(f'<line class="{kind}" x1="{x}" y1="{TOP - 6}" x2="{x}" y2="{bottom}"/>'
                     f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{tick:g}×</text>')
    for index, bar in enumerate(bars):
        lines += drawn(bar, TOP + ROW * index, place)
    return "\n".join([*lines, "</svg>", ""])


def drawn(bar: Bar, y: float, place: Callable[[float], float]) -> list[str]:
    """A bar from 1 to its ratio, its label on the left, its number on the right."""
    start, end = sorted((place(1.0), place(bar.value)))
    mark, middle = place(bar.target), y + ROW / 2 + 4.5
    return [
        f'<text x="{LEFT - 12}" y="{middle:.1f}" text-anchor="end">{escape(bar.label)}</text>',
        f'<rect class="{"met" if bar.met else "below"}" x="{start:.1f}" y="{y + 5:.1f}" '
        f'width="{max(end - start, 1.5):.1f}" height="{ROW - 10}"/>',
        f'<line class="mark" x1="{mark:.1f}" y1="{y + 2:.1f}" x2="{mark:.1f}" y2="{y + ROW - 2:.1f}"/>',
        f'<text x="{max(end, mark) + 9:.1f}" y="{middle:.1f}">{bar.value:.3g}×</text>',
    ]


def legend(x: float) -> list[str]:
    """What bars and marks mean, above the plot."""
    return [
        f'<rect class="met" x="{x}" y="42" width="26" height="12"/><text x="{x + 34}" y="53">ratio, target met</text>',
        f'<rect class="below" x="{x + 165}" y="42" width="26" height="12"/>'
        f'<text x="{x + 199}" y="53">ratio, target not met</text>',
        f'<line class="mark" x1="{x + 360}" y1="40" x2="{x + 360}" y2="56"/><text x="{x + 370}" y="53">target</text>',
    ]
