"""The known bugs as pages show them: docs/known-bugs.md as a whole, and chosen ones in docs/porting.md.

What is wrong and right comes from the registry in Sources/KnownBugs, which cases see it from the manifest.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from checks.repository import NotPossible, Repository

PAGE = "docs/known-bugs.md"
PORTING = "docs/porting.md"
MARK = re.compile(r"(<!-- bugs: ([^>]*?) -->\n).*?(<!-- end of bugs -->)", re.DOTALL)
STRING = re.compile(r'"((?:\\.|[^"\\])*)"')
PRESETS = ("tiny", "odd", "published")
GROUPS = {
    "LowPrecision": "Formats, blocks and the deployed numerics",
    "Rotary": "Rotary embedding and YaRN",
    "HyperConnections": "Hyper-connections",
    "ExpertRouting": "Router and experts",
    "Compression": "Compression",
    "Indexer": "Lightning indexer",
    "Attention": "Core attention",
    "State": "Decode state",
    "Model": "Whole model and multi-token prediction",
}
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
    """An entry of the registry. `reason` says why no case can show it; nil if one does."""

    id: str
    group: str
    wrong: str
    right: str
    references: tuple[str, ...]
    reason: str | None


def registry(repository: Repository) -> list[Bug]:
    """Every known bug, group by group, in the order of the sources."""
    bugs: list[Bug] = []
    folder = repository.root / "Sources/KnownBugs"
    files = {path.stem.removeprefix("KnownBug+") for path in folder.glob("KnownBug+*.swift")}
    if files != set(GROUPS):
        raise NotPossible(f"Sources/KnownBugs has the groups {sorted(files)}, and known_bugs.py {sorted(GROUPS)}")
    for group in GROUPS:
        text = (folder / f"KnownBug+{group}.swift").read_text(encoding="utf-8")
        for match in re.finditer(r"\bKnownBug\(\s*\"", text):
            arguments = dict(_arguments(text[match.start() + len("KnownBug(") :]))
            reason = arguments.get("reason") or arguments.get("visibility")
            bugs.append(
                Bug(
                    _text(arguments[""]),
                    group,
                    _text(arguments["wrong"]),
                    _text(arguments["right"]),
                    tuple(STRING.findall(arguments.get("references", ""))),
                    _text(reason) if reason else None,
                )
            )
    return bugs


def _arguments(text: str) -> Iterator[tuple[str, str]]:
    """The arguments of a call from behind its bracket on, by label: the first is "", others without are left out."""
    depth, start, quoted, first = 0, 0, False, True
    index = 0
    while index < len(text):
        character = text[index]
        if quoted:
            index += character == "\\"
            quoted = character != '"'
        elif character == '"':
            quoted = True
        elif character in "([{":
            depth += 1
        elif character in ")]}" and depth:
            depth -= 1
        elif character in ",)" and not depth:
            argument = text[start:index].strip()
            label = re.match(r"(\w+):\s", argument)
            if first or label:
                yield "" if first else label[1], argument if first else argument[label.end() :]
            first, start = False, index + 1
            if character == ")":
                return
        index += 1


def _text(argument: str) -> str:
    """The string of an argument, with its pieces joined."""
    return "".join(STRING.findall(argument)).replace('\\"', '"').replace("\\\\", "\\")


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
        "`make write-docs` from [Sources/KnownBugs](../Sources/KnownBugs) and golden/manifest.json.",
        f"{len(visible)} of {len(bugs)} can be seen by golden cases. *Seen first by* is the smallest case of the first",
        "component, in the order of [porting.md](porting.md), that shows the bug by 100 times its tolerance;",
        "*by cases* counts all that do. Where no place is named, the mistake is only near at hand.",
    ]
    for group, title in GROUPS.items():
        shown = [bug for bug in visible if bug.group == group]
        if shown:
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
        yield f"Sources/KnownBugs: {id} is there twice"
    killed = set(first_cases(repository))
    for id in sorted({bug.id for bug in bugs if bug.reason is None} - killed):
        yield f"golden/manifest.json: no case kills {id}"
    for id in sorted(killed - {bug.id for bug in bugs if bug.reason is None}):
        yield f"golden/manifest.json: {id} is killed, and no visible bug of Sources/KnownBugs"
    for bug in bugs:
        if not bug.wrong or not bug.right:
            yield f"Sources/KnownBugs: {bug.id} does not say what is wrong and right"
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
