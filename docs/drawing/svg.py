"""A placed graph as SVG: boxes with lines of text, on a ground of its own, legible in light and in dark."""

from dataclasses import dataclass
from xml.sax.saxutils import escape

from drawing.layered import Drawing, Node

NAME, NOTE = 14.0, 12.0
ADVANCE = 0.62  # of a fixed-width letter, in units of its size: the widest of the common fonts
STYLE = """
    text { font-family: ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #16191d }
    .title { font-size: 17px; font-weight: 600 }
    .name { font-size: 14px; font-weight: 600 }
    .note { font-size: 12px; fill: #444b55 }
    .ground { fill: #ffffff; stroke: #c8ccd2 }
    .edge { fill: none; stroke: #5b6470; stroke-width: 1.3 }
    .tip { fill: #5b6470 }
    .value rect { fill: #e8f1fb; stroke: #2f6db0 }
    .choice rect { fill: #fdebd3; stroke: #b06a10 }
    .rounding rect { fill: #e6f4ea; stroke: #2b7d46; stroke-dasharray: 6 3 }
    .outside rect { fill: #f4f4f5; stroke: #8a919b; stroke-dasharray: 2 3 }
    @media (prefers-color-scheme: dark) {
      text { fill: #eef1f4 }
      .note { fill: #b9c1ca }
      .ground { fill: #14181d; stroke: #3a424c }
      .edge { stroke: #9aa4b0 }
      .tip { fill: #9aa4b0 }
      .value rect { fill: #17293d; stroke: #6aa5e3 }
      .choice rect { fill: #3a2a12; stroke: #e0a24a }
      .rounding rect { fill: #163222; stroke: #67bd84 }
      .outside rect { fill: #20252b; stroke: #79818b }
    }
"""
KINDS = {
    "value": "a value",
    "choice": "a choice",
    "rounding": "rounded, where the numerics round",
    "outside": "from elsewhere",
}


@dataclass(frozen=True)
class Label:
    """What stands in a box: the first line is its name. The kind is one of KINDS."""

    kind: str
    lines: tuple[str, ...]


def sized(name: str, label: Label) -> Node:
    """A box that its text fits into."""
    widths = [len(line) * (NAME if index == 0 else NOTE) * ADVANCE for index, line in enumerate(label.lines)]
    return Node(name, round(max(widths) + 24), 14 + 19 + 16 * (len(label.lines) - 1))


def picture(drawing: Drawing, labels: dict[str, Label], title: str) -> str:
    """The whole file."""
    kinds = [kind for kind in KINDS if any(label.kind == kind for label in labels.values())]
    kinds = kinds if len(kinds) > 1 else []
    head, foot = 44.0, 40.0 if kinds else 0.0
    legend = sum(34 + len(KINDS[kind]) * NOTE * ADVANCE for kind in kinds) + 40
    width = round(max(drawing.width, len(title) * 17 * ADVANCE + 48, legend))
    height = round(drawing.height + head + foot)
    shift = (width - drawing.width) / 2
    body = [f'  <rect class="ground" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="10"/>']
    body.append(f'  <text class="title" x="{width / 2:.1f}" y="34" text-anchor="middle">{escape(title)}</text>')
    body.append(f'  <g transform="translate({shift:.1f} {head:.1f})">')
    body += [f'    <path class="edge" d="{_path(points)}"/>' for _, points in sorted(drawing.paths.items())]
    body += [_tip(*points[-1]) for _, points in sorted(drawing.paths.items())]
    body += [_box(node, labels[name]) for name, node in drawing.nodes.items()]
    body += ["  </g>", *_legend(kinds, height)]
    view = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    first = f'<svg xmlns="http://www.w3.org/2000/svg" {view} role="img" aria-label="{escape(title)}">'
    return "\n".join([first, f"  <title>{escape(title)}</title>", f"  <style>{STYLE}  </style>", *body, "</svg>", ""])


def _path(points: list[tuple[float, float]]) -> str:
    """Straight within a rank, bent between two."""
    text = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for index, ((x0, y0), (x1, y1)) in enumerate(zip(points, points[1:])):
        y1 -= 5 if index == len(points) - 2 else 0
        middle = (y0 + y1) / 2
        text += (
            f" L{x1:.1f} {y1:.1f}" if index % 2 else f" C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}"
        )
    return text


def _tip(x: float, y: float) -> str:
    return f'    <path class="tip" d="M{x:.1f} {y:.1f} l-4 -8 h8 z"/>'


def _box(node: Node, label: Label) -> str:
    left = node.x - node.width / 2
    place = f'x="{left:.1f}" y="{node.y:.1f}" width="{node.width}" height="{node.height}"'
    lines = [f'    <g class="{label.kind}"><rect {place} rx="6"/>']
    for index, line in enumerate(label.lines):
        kind, y = ("name", 20) if index == 0 else ("note", 20 + 16 * index + 2)
        lines.append(
            f'<text class="{kind}" x="{node.x:.1f}" y="{node.y + y:.1f}" text-anchor="middle">{escape(line)}</text>'
        )
    return "".join(lines) + "</g>"


def _legend(kinds: list[str], height: float) -> list[str]:
    """What the kinds of boxes mean, at the lower edge."""
    lines, x = [], 24.0
    for kind in kinds:
        lines.append(f'  <g class="{kind}"><rect x="{x:.1f}" y="{height - 33}" width="22" height="14" rx="3"/>')
        lines[-1] += f'<text class="note" x="{x + 28:.1f}" y="{height - 22}">{KINDS[kind]}</text></g>'
        x += 42 + len(KINDS[kind]) * NOTE * ADVANCE
    return lines
