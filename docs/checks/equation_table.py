"""docs/equations.md against the manifest, the tap registry, the sources and the notebooks, in every direction.

The column `notebook` is written by this module (`docs/check.py --write`); all other columns are written by hand.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from checks.notebooks import Section, sections, shown
from checks.pages import CODE_SPAN, cells_of
from checks.repository import Repository

PAGE = "docs/equations.md"
HEAD = ["id", "what", "code", "golden operations"]
NAME = re.compile(r"(?:([A-Z]\w*)?\.)?(\w+)(\([\w:]*\))?")


@dataclass(frozen=True)
class Row:
    """A row of the first table: its ids as in the manifest, its code as (type, member), its operations."""

    line: int
    ids: tuple[str, ...]
    code: tuple[tuple[str, str], ...]
    operations: tuple[str, ...]
    notebook: str | None


def rows(repository: Repository) -> list[Row]:
    """The rows of the first table."""
    found: list[Row] = []
    for line, cells in repository.page(PAGE).tables():
        if cells[:4] == HEAD:
            continue
        if cells[0] == "paper":
            break
        ids = tuple(f"eq-{id[1:-1]}" if id.startswith("(") else id for id in cells[0].split(", "))
        operations = tuple(match[2] for match in CODE_SPAN.finditer(cells[3]))
        notebook = cells[4] if len(cells) > 4 else None
        found.append(Row(line, ids, tuple(_names(cells[2])), operations, notebook))
    return found


def _names(cell: str) -> Iterator[tuple[str, str]]:
    """What a cell of code names: `A.b`, `.c` (of the same type), `D` (a type, no member), `e(_:)` (free: no type)."""
    owner = ""
    for match in CODE_SPAN.finditer(cell):
        name = NAME.fullmatch(match[2])
        if name is None:
            yield "", match[2]
        elif "." in match[2]:
            owner = name[1] or owner
            yield owner, name[2]
        elif name[3]:
            yield "", name[2]
        else:
            owner = name[2]
            yield owner, ""


def equation_faults(repository: Repository) -> Iterator[str]:
    """Everything that is without its other end."""
    table = rows(repository)
    listed = [id for row in table for id in row.ids]
    known = {equation["id"] for equation in repository.manifest["equations"]}
    for id in sorted({id for id in listed if listed.count(id) > 1}):
        yield f"{PAGE}: {shown(id)} has two rows"
    for id in sorted(set(listed) - known):
        yield f"{PAGE}: {shown(id)} is no equation of the manifest"
    wanted = {id: "golden/manifest.json" for id in known}
    wanted |= {tap["equation"]: f"the tap {tap['tap']}" for tap in repository.taps}
    wanted |= repository.sources.citations
    for id, place in sorted(wanted.items()):
        if id not in listed:
            yield f"{PAGE}: {shown(id)}, which {place} names, has no row"
    yield from _code_faults(repository, table)
    yield from _operation_faults(repository, table)
    yield from _step_faults(repository, table)
    yield from _column_faults(repository, table)
    yield from _symbol_faults(repository)


def _code_faults(repository: Repository, table: list[Row]) -> Iterator[str]:
    """Names in the column of code that the sources do not declare."""
    sources = repository.sources
    for row in table:
        if not row.code:
            yield f"{PAGE}:{row.line}: no code is named"
        for owner, member in row.code:
            if not member and owner not in sources.types:
                yield f"{PAGE}:{row.line}: the sources have no type {owner}"
            elif member and owner and not sources.declares(owner, member):
                yield f"{PAGE}:{row.line}: {owner} has no {member}"
            elif not owner and member not in sources.names:
                yield f"{PAGE}:{row.line}: the sources have no {member}"


def _operation_faults(repository: Repository, table: list[Row]) -> Iterator[str]:
    """The operations of a row against those whose cases list its equations."""
    operations: dict[str, set[str]] = {}
    for case in repository.manifest["cases"]:
        for id in case["equations"]:
            operations.setdefault(id, set()).add(case["operation"])
    for row in table:
        for id in row.ids:
            having = operations.get(id, set())
            for operation in row.operations:
                if operation not in having:
                    yield f"{PAGE}:{row.line}: no case of the operation {operation} lists {shown(id)}"
            for operation in sorted(having - set(row.operations)):
                yield f"{PAGE}:{row.line}: cases of the operation {operation} list {shown(id)}, and the row lacks it"


def _step_faults(repository: Repository, table: list[Row]) -> Iterator[str]:
    """Steps that say which equation they are, and do not stand in its row: those of taps, those of sets of steps."""
    code = {id: set(row.code) for row in table for id in row.ids}
    for tap in repository.taps:
        owner, _, member = tap["step"].rpartition(".")
        named = code.get(tap["equation"], set())
        if not owner and member in repository.sources.types:
            owner, member = member, ""
        if not owner:
            if member not in repository.sources.names:
                yield f"taps: the sources have no {member}, which makes {tap['tap']}"
        elif not named & {(owner, member), (owner, "")}:
            yield f"{PAGE}: {tap['step']} makes {tap['tap']}, and the row of {shown(tap['equation'])} does not name it"
    for declaration in repository.sources.declarations:
        if declaration.is_type or not declaration.owner.endswith("Steps"):
            continue
        for id in declaration.cites:
            if (declaration.owner, declaration.name) not in code.get(id, set()):
                name = f"{declaration.owner}.{declaration.name}"
                yield f"{PAGE}: {name} ({declaration.place}) cites {shown(id)}, whose row does not name it"


def _column_faults(repository: Repository, table: list[Row]) -> Iterator[str]:
    """The column of notebooks against the notebooks."""
    by_id = _sections_by_id(repository)
    for id in (id for row in table for id in row.ids):
        if repository.notebooks and id not in by_id:
            yield f"{PAGE}: no section of a notebook studies {shown(id)}"
    if written(repository) != repository.page(PAGE).text:
        yield f"{PAGE}: the column of notebooks is not that of the notebooks; `make write-docs` writes it"


def _symbol_faults(repository: Repository) -> Iterator[str]:
    """Names in the table of symbols that the sources do not declare, as members or parameters; shapes are no names."""
    table = [(line, cells) for line, cells in repository.page(PAGE).tables() if len(cells) == 3]
    if len(table) < 2:
        yield f"{PAGE}: the table of symbols is missing"
    for line, cells in table[1:]:
        spans = [match[2] for match in CODE_SPAN.finditer(cells[1]) if not match[2].startswith("[")]
        if not spans:
            yield f"{PAGE}:{line}: no code is named"
        for span in spans:
            owner, _, name = span.rpartition(".")
            if not (repository.sources.declares(owner, name) if owner else name in repository.sources.names):
                yield f"{PAGE}:{line}: the sources have no {span}"


def _sections_by_id(repository: Repository) -> dict[str, list[Section]]:
    found: dict[str, list[Section]] = {}
    for section in sections(repository):
        for id in section.ids:
            found.setdefault(f"eq-{id[1:-1]}" if id.startswith("(") else id, []).append(section)
    return found


def _links(ids: tuple[str, ...], by_id: dict[str, list[Section]]) -> str:
    """One link for each notebook: to its first section that studies any of the ids."""
    first: dict[str, Section] = {}
    for section in (section for id in ids for section in by_id.get(id, [])):
        first.setdefault(section.notebook.name, section)
    return ", ".join(first[name].link for name in sorted(first))


def written(repository: Repository) -> str:
    """The page with the column of notebooks as it has to be; without notebooks there is none."""
    page = repository.page(PAGE)
    by_line = {row.line: row for row in rows(repository)}
    by_id = _sections_by_id(repository)
    lines = page.text.split("\n")
    first = min(by_line, default=3) - 2  # the head, then its rule
    for number in range(first, max(by_line, default=0) + 1):
        cells = cells_of(lines[number - 1])[:4]
        if repository.notebooks:
            cells.append("notebook" if number == first else "---" if number == first + 1 else "")
            if number in by_line:
                cells[4] = _links(by_line[number].ids, by_id)
        lines[number - 1] = "| " + " | ".join(cells) + " |"
    return "\n".join(lines)
