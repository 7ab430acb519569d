"""The known bugs as pages show them: docs/known-bugs.md as a whole, and chosen ones in docs/porting.md.

What is wrong and right comes from `v4-oracle bugs`, which cases see it from the manifest.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from checks.repository import NotPossible, Repository

PAGE = "docs/known-bugs.md"
PORTING = "docs/porting.md"
MARK = re.compile(r"(<!-- bugs: ([^>]*?) -->\n).*?(<!-- end of bugs -->)", re.DOTALL)
PRESETS = ("tiny", "odd", "published")
COMPONENTS = (
    "low-precision",
    "rotary-embedding",
    "hyper-connections",
    "expert-routing",
    "token-compression",
    "compressed-sparse-attention",
    "core-attention",
    "heavily-compressed-attention",
    "language-model",
    "multi-token-prediction",
)
"""The order in which docs/porting.md goes."""


@dataclass(frozen=True)
class Bug:
    """An entry of the registry. `reason` says why no case can show it; None if one does."""

    id: str
    component: str
    wrong: str
    right: str
    references: tuple[str, ...]
    reason: str | None


def registry(repository: Repository) -> list[Bug]:
    """Every known bug, in the order of the components."""
    bugs = [
        Bug(bug["id"], bug["component"], bug["wrong"], bug["right"], tuple(bug["references"]), bug.get("reason"))
        for bug in repository.bugs
    ]
    if strangers := sorted({bug.component for bug in bugs} - set(COMPONENTS)):
        raise NotPossible(f"`v4-oracle bugs` has the components {strangers}, which known_bugs.py lacks")
    return sorted(bugs, key=lambda bug: COMPONENTS.index(bug.component))


def first_cases(repository: Repository) -> dict[str, dict[str, Any]]:
    """For each bug the smallest case of the earliest component that shows it by 100 times its tolerance."""
    best: dict[str, dict[str, Any]] = {}

    def rank(case: dict[str, Any]) -> tuple[int, int, int, str]:
        component, preset = case["component"], case["preset"]
        early = COMPONENTS.index(component) if component in COMPONENTS else len(COMPONENTS)
        return early, PRESETS.index(preset) if preset in PRESETS else len(PRESETS), case["bytes"], case["id"]

    for case in repository.manifest["cases"]:
        for bug in case["kills"]:
            best[bug] = min(best.get(bug, case), case, key=rank)
    return best


def _references(bug: Bug) -> str:
    """Links to where a bug was seen, named like threads."""
    links = []
    for url in bug.references:
        short = re.sub(r"^https?://(?:github\.com/)?", "", url).rstrip("/")
        short = re.sub(r"/(?:issues|pull)/(\d+).*", r" \1", short)
        links.append(f"[{short.split('/', 1)[-1] if url.startswith('https://github.com') else short}]({url})")
    return ", ".join(links)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_").replace("<", "&lt;")


def _table(bugs: list[Bug], repository: Repository, cases: dict[str, dict[str, Any]]) -> list[str]:
    """Rows of visible bugs: what is wrong, what is right, the first case that sees it, where it was seen."""
    counts = {bug.id: sum(bug.id in case["kills"] for case in repository.manifest["cases"]) for bug in bugs}
    lines = [
        "| bug | wrong | right | seen first by | by cases | happened in |",
        "| --- | --- | --- | --- | ---: | --- |",
    ]
    for bug in bugs:
        case = f"`{cases[bug.id]['id']}`" if bug.id in cases else ""
        cells = [f"`{bug.id}`", _cell(bug.wrong), _cell(bug.right), case, str(counts[bug.id]), _references(bug)]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def whole_page(repository: Repository) -> str:
    """docs/known-bugs.md."""
    bugs, cases = registry(repository), first_cases(repository)
    visible = [bug for bug in bugs if bug.reason is None]
    lines = [
        "# Known bugs",
        "",
        "What implementations of DeepSeek-V4 got wrong, and mistakes right beside that. This page is written by",
        "`make write-docs` from `v4-oracle bugs` and golden/manifest.json.",
        f"{len(visible)} of {len(bugs)} can be seen by golden cases. *Seen first by* is the smallest case of the first",
        "component, in the order of [porting.md](porting.md), that shows the bug by 100 times its tolerance;",
        "*by cases* counts all that do. Where no place is named, the mistake is only near at hand.",
    ]
    for component in COMPONENTS:
        shown = [bug for bug in visible if bug.component == component]
        if shown:
            title = component.replace("-", " ").capitalize()
            lines += ["", f"## {title}", "", *_table(shown, repository, cases)]
    lines += [
        "",
        "## What no case can show",
        "",
        "| bug | wrong | right | why | happened in |",
        "| --- | --- | --- | --- | --- |",
    ]
    for bug in bugs:
        if bug.reason is not None:
            cells = [f"`{bug.id}`", _cell(bug.wrong), _cell(bug.right), _cell(bug.reason), _references(bug)]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def porting_page(repository: Repository) -> str:
    """docs/porting.md with its tables as they have to be."""
    by_id = {bug.id: bug for bug in registry(repository)}
    cases = first_cases(repository)

    def table(match: re.Match[str]) -> str:
        bugs = [by_id[id] for id in match[2].split() if id in by_id]
        return match[1] + "\n" + "\n".join(_table(bugs, repository, cases)) + "\n\n" + match[3]

    return MARK.sub(table, repository.page(PORTING).text)


def bug_faults(repository: Repository) -> Iterator[str]:
    """Registry and manifest against each other; pages that are not what the registry makes of them."""
    bugs = registry(repository)
    ids = [bug.id for bug in bugs]
    for id in sorted({id for id in ids if ids.count(id) > 1}):
        yield f"v4-oracle bugs: {id} is there twice"
    killed = set(first_cases(repository))
    for id in sorted({bug.id for bug in bugs if bug.reason is None} - killed):
        yield f"golden/manifest.json: no case kills {id}"
    for id in sorted(killed - {bug.id for bug in bugs if bug.reason is None}):
        yield f"golden/manifest.json: {id} is killed, and no visible bug of `v4-oracle bugs`"
    for bug in bugs:
        if not bug.wrong or not bug.right:
            yield f"v4-oracle bugs: {bug.id} does not say what is wrong and right"
    marked = [id for _, named, _ in MARK.findall(repository.page(PORTING).text) for id in named.split()]
    if not marked:
        yield f"{PORTING}: no step names a known bug"
    for id in marked:
        if id not in ids:
            yield f"{PORTING}: {id} is no known bug"
    file = repository.root / PAGE
    if not file.exists() or file.read_text(encoding="utf-8") != whole_page(repository):
        yield f"{PAGE} is not what the sources and the manifest make of it; `make write-docs` writes it"
    if porting_page(repository) != repository.page(PORTING).text:
        yield f"{PORTING}: a table of bugs is stale; `make write-docs` writes it"
