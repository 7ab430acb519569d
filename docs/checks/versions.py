"""One version everywhere, one list of public modules."""

import re
from collections.abc import Iterator

from checks.repository import Repository

PAGE = "docs/versions.md"
PLACES = {
    "CITATION.cff": r"^version: (\S+)$",
    "golden/python/pyproject.toml": r'^version = "(.*)"$',
    "golden/python/v4oracle/__init__.py": r'^__version__ = "(.*)"$',
}
FORMATS = {"golden/manifest.json": r'"format_version": (\d+)', "golden/budgets.json": r'"format_version": ?(\d+)'}


def version_faults(repository: Repository) -> Iterator[str]:
    """Places that disagree about a version; modules of the product that the page lacks, or names in vain."""
    for places, what in ((PLACES, "version"), (FORMATS, "format version")):
        found = {}
        for path, pattern in places.items():
            match = re.search(pattern, (repository.root / path).read_text(encoding="utf-8"), re.MULTILINE)
            found[path] = match[1] if match else None
        if len(set(found.values())) != 1 or None in found.values():
            yield f"the {what} is not one: " + ", ".join(f"{path} has {value}" for path, value in found.items())
    package = (repository.root / "Package.swift").read_text(encoding="utf-8")
    product = re.search(r'\.library\(\s*name: "DeepSeekV4Oracle",\s*targets: \[(.*?)\]', package, re.DOTALL)
    modules = set(re.findall(r'"(\w+)"', product[1])) if product else set()
    table = [cells for _, cells in repository.page(PAGE).tables() if len(cells) == 2][1:]
    named = [name for cells in table for name in re.findall(r"`(\w+)`", cells[0])]
    for name in sorted(modules ^ set(named)) or ([] if modules else ["DeepSeekV4Oracle"]):
        yield f"{PAGE}: {name} is public by Package.swift or by this page, but not by both"
    for name in sorted({name for name in named if named.count(name) > 1}):
        yield f"{PAGE}: {name} is listed twice"
