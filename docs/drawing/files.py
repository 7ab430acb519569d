"""The files of the drawings: docs/architecture.svg and docs/architecture/*.svg, made from the tap registry, and
docs/verify.svg.

Every tap of `v4-oracle taps` is a node of one picture, with its shape and the step that makes it; edges come from what
it is computed from.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from checks.repository import Repository
from drawing.layered import layered
from drawing.places import BLOCK, LAST, LAYER, OVERVIEW, PICTURES, folded, kind_of, picture_of, place_of
from drawing.svg import Label, picture, sized
from drawing.verify import verify_picture

Tap = dict[str, Any]


def detail(name: str, taps: list[Tap]) -> str:
    """One picture: its taps, and dashed what they need of other pictures."""
    by_name = {tap["tap"]: tap for tap in taps}
    twins = folded(taps)
    drawn = [tap for tap in taps if picture_of(tap["tap"]) == name and tap["tap"] not in twins]
    labels = {tap["tap"]: Label(kind_of(tap), (short(tap["tap"]), tap["axes"], tap["step"])) for tap in drawn}
    edges = []
    for tap in drawn:
        for parent in tap["parents"]:
            if parent not in labels:
                axes = by_name[parent.replace(LAST, LAYER)]["axes"]
                labels[parent] = Label("outside", (outside(parent, tap["tap"]), axes))
            edges.append((parent, tap["tap"]))
    if name == "mtp" and twins:
        note = (f"the block: {len(twins)} taps", "as in a layer of ratio 0,", "then its own hc_head")
        labels["block"] = Label("outside", note)
        edges = [("block" if parent in twins else parent, child) for parent, child in edges] + [
            (BLOCK + "projected", "block")
        ]
        labels = {key: label for key, label in labels.items() if key not in twins}
    nodes = [sized(key, label) for key, label in labels.items()]
    return picture(layered(nodes, list(dict.fromkeys(edges))), labels, PICTURES[name])


def short(name: str) -> str:
    """A tap without what all taps of its picture share."""
    return name.removeprefix(LAYER).removeprefix(BLOCK)


def outside(parent: str, child: str) -> str:
    """A tap of another picture; of the layer before, or in the head of the last one."""
    if not parent.startswith(LAST):
        return short(parent)
    return ("layer before: " if child.startswith(LAYER) else "last layer: ") + parent.removeprefix(LAST)


def overview(taps: list[Tap]) -> str:
    """Places instead of taps: how many each has, and what it hands on, with shapes."""
    members: dict[str, list[Tap]] = {place: [] for place in OVERVIEW}
    for tap in taps:
        members[place_of(tap["tap"])].append(tap)
    handed: dict[str, list[Tap]] = {place: [] for place in OVERVIEW}
    edges: list[tuple[str, str]] = []
    by_name = {tap["tap"]: tap for tap in taps}
    twins = folded(taps)
    for tap in (tap for tap in taps if tap["tap"] not in twins):
        for parent in tap["parents"]:
            if parent in twins:
                continue
            if parent.startswith(LAST):
                source = "start" if tap["tap"].startswith(LAYER) else "hc_ffn out"
                made = by_name["streams" if source == "start" else LAYER + "hc_ffn.streams"]
            else:
                source, made = place_of(parent), by_name[parent]
            if source != place_of(tap["tap"]):
                edges.append((source, place_of(tap["tap"])))
                if made not in handed[source]:
                    handed[source].append(made)
    edges.append(("hc_ffn out", "mtp"))  # the streams of each position; a value of earlier calls has no parent
    labels = {}
    for place, title in OVERVIEW.items():
        ends = handed[place] or [tap for tap in members[place] if tap["tap"] in ("logits", BLOCK + "logits")]
        shapes = [f"→ {short(tap['tap'])} {tap['axes']}" for tap in ends if not tap["tap"].endswith("_quantized")]
        count = len(members[place])
        labels[place] = Label("value", (title, "1 value" if count == 1 else f"{count} values", *shapes))
    nodes = [sized(place, label) for place, label in labels.items()]
    return picture(
        layered(nodes, list(dict.fromkeys(edges))), labels, "DeepSeek-V4: a layer, what comes before it and after it"
    )


def pictures(taps: list[Tap]) -> dict[str, str]:
    """Every file by its path from docs/. Raises ValueError where the registry is not as the pictures suppose."""
    return {"architecture.svg": overview(taps)} | {f"architecture/{name}.svg": detail(name, taps) for name in PICTURES}


def _all(repository: Repository) -> dict[str, str]:
    return pictures(repository.taps) | {"verify.svg": verify_picture(repository.verification)}


def picture_faults(repository: Repository) -> Iterator[str]:
    """Pictures that are stale, missing or left over."""
    files = _all(repository)
    docs = repository.root / "docs"
    for name, text in files.items():
        if not _same(docs / name, text):
            made = "`v4-oracle verify`" if name == "verify.svg" else "the tap registry"
            yield f"docs/{name} is not what {made} makes of it; `make write-docs` draws it"
    for path in sorted((docs / "architecture").glob("*")):
        if f"architecture/{path.name}" not in files:
            yield f"docs/architecture/{path.name} is no picture of the tap registry"


def write_pictures(repository: Repository) -> int:
    """Draws what has changed, each file under a temporary name first; how many that were."""
    files = {repository.root / "docs" / name: text for name, text in _all(repository).items()}
    stale = [path for path, text in files.items() if not _same(path, text)]
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(files[path], encoding="utf-8")
        temporary.rename(path)
    return len(stale)


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text
