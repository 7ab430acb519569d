"""Which section of which exported notebook studies which equation."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from checks.pages import HEADING, notebook_anchor
from checks.repository import Repository

MARK = re.compile(r"<!--\s*equations:\s*(.*?)\s*-->", re.DOTALL)
ID = re.compile(r"\(\d+\)|\d\.\d(?:\.\d)?-[a-z-]+")


@dataclass(frozen=True)
class Section:
    """A heading of a notebook and the ids, as in the first column of docs/equations.md, that stand under it."""

    notebook: Path
    heading: str
    ids: tuple[str, ...]

    @property
    def link(self) -> str:
        """In Markdown, as seen from docs/."""
        number = self.notebook.stem.split("-")[0].lstrip("0") or self.notebook.stem
        return f"[{number}](../notebooks-export/{self.notebook.name}#{notebook_anchor(self.heading)})"


def sections(repository: Repository) -> Iterator[Section]:
    """Every section that names equations, in the order of the notebooks."""
    for path in repository.notebooks:
        heading = ""
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] != "markdown":
                continue
            text = "".join(cell["source"])
            lines = MARK.sub("", text).splitlines()
            heading = next((match[2] for line in lines if (match := HEADING.match(line))), heading)
            for mark in MARK.finditer(text):
                yield Section(path, heading, tuple(mark[1].replace(",", " ").split()))


def notebook_faults(repository: Repository) -> Iterator[str]:
    """Marks without a heading, with nothing in them, or with an id that is none."""
    known = {shown(equation["id"]) for equation in repository.manifest["equations"]}
    for section in sections(repository):
        where = f"notebooks-export/{section.notebook.name}"
        if not section.heading:
            yield f"{where}: a mark of equations stands under no heading"
        if not section.ids:
            yield f"{where}: the mark under {section.heading!r} names no equation"
        for id in section.ids:
            if id not in known:
                yield f"{where}: {id} under {section.heading!r} is no equation of the manifest"


def shown(equation: str) -> str:
    """The id of the manifest as pages write it: (8) for eq-8."""
    return f"({equation[3:]})" if equation.startswith("eq-") else equation
