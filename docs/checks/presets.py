"""The table of sizes in docs/architecture.md against the presets of Flash and Pro, and the axes of the tap registry."""

import re
from collections.abc import Iterator

from checks.pages import CODE_SPAN
from checks.repository import NotPossible, Repository

PAGE = "docs/architecture.md"
PRESETS = "Sources/DeepSeekV4/Configuration/ModelConfiguration+Presets.swift"
HEAD = ["axis", "what", "Flash", "Pro"]
FIELDS = {
    "V": "vocabularySize",
    "d": "width",
    "n": "streams",
    "h": "heads",
    "c": "headWidth",
    "r": "ropeDims",
    "q": "queryLatentWidth",
    "g": "outputGroups",
    "p": "outputRank",
    "W": "window",
    "H": "indexHeads",
    "i": "indexWidth",
    "K": "indexTopK",
    "E": "experts",
    "k": "expertsPerToken",
    "f": "expertWidth",
}
AT_RUN_TIME = {"T", "N", "S"}


def sizes(repository: Repository) -> dict[str, tuple[int, int]]:
    """Each axis with its length in Flash and in Pro."""
    text = (repository.root / PRESETS).read_text(encoding="utf-8")
    flash = re.search(r"static let flash = ModelConfiguration\((.*?)\n\n", text, re.DOTALL)
    pro = re.search(r"static let pro = flash\.with \{(.*?)\n  \}", text, re.DOTALL)
    if flash is None or pro is None:
        raise NotPossible(f"{PRESETS} has no presets that can be read")
    found: dict[str, tuple[int, int]] = {}
    for axis, field in FIELDS.items():
        first = re.search(rf"\b{field}: (\d+)", flash[1])
        if first is None:
            raise NotPossible(f"{PRESETS}: flash has no {field}")
        other = re.search(rf"\$0\.{field} = (\d+)", pro[1])
        found[axis] = int(first[1]), int((other or first)[1])
    found["M"] = tuple((2 + n) * n for n in found["n"])
    found["g·p"] = tuple(g * p for g, p in zip(found["g"], found["p"]))
    found["w"] = tuple(2 * c for c in found["c"])
    return found


def preset_faults(repository: Repository) -> Iterator[str]:
    """Numbers that are not those of the presets, and axes of taps without a row."""
    known = sizes(repository)
    seen = set()
    rows = [(line, cells) for line, cells in repository.page(PAGE).tables() if len(cells) == 4]
    if not rows or rows[0][1] != HEAD:
        yield f"{PAGE}: the table of sizes is missing"
    for line, cells in rows[1:]:
        match = CODE_SPAN.fullmatch(cells[0])
        axis = match[2] if match else cells[0]
        seen.add(axis)
        if axis in AT_RUN_TIME:
            continue
        if axis not in known:
            yield f"{PAGE}:{line}: no preset says how long {axis} is"
            continue
        shown = tuple(re.match(r"[\d,]*", cell)[0].replace(",", "") for cell in cells[2:])
        if shown != tuple(map(str, known[axis])):
            yield f"{PAGE}:{line}: {axis} is {known[axis][0]} in Flash and {known[axis][1]} in Pro"
    axes = {axis for tap in repository.taps for axis in tap["axes"].strip("[]").split(", ")}
    for axis in sorted(axes - seen):
        yield f"{PAGE}: the table of sizes lacks {axis}"
