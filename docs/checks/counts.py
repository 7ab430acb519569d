"""Numbers and modules that README.md repeats, against the manifest and Package.swift."""

import re
from collections import Counter
from collections.abc import Iterator

from checks.repository import Repository

PAGE = "README.md"
VERIFIED = re.compile(r"^  ([a-z-]+) +(?:float|double) +(\d+) +(\d+) ", re.MULTILINE)
COVERED = re.compile(
    r"Covered: (\d+) of (\d+) equations by (\d+) cases that pass; (\d+) of (\d+) visible known bugs would be caught"
)
KILLED = re.compile(r"^  ([a-z0-9-]+) +(\d+) +(\d+) +\S+  (\S+)$", re.MULTILINE)


def count_faults(repository: Repository) -> Iterator[str]:
    """Counts of cases, equations and bugs that are not those of the manifest; modules without a row."""
    text = repository.page(PAGE).text
    cases = repository.manifest["cases"]
    by_component = Counter(case["component"] for case in cases)
    rows = VERIFIED.findall(text)
    for component, run, passed in rows:
        if not int(run) == int(passed) == by_component[component]:
            yield f"{PAGE}: {component} has {by_component[component]} cases, and {run} and {passed} are shown"
    for component in sorted(by_component.keys() - {row[0] for row in rows}):
        yield f"{PAGE}: the output of make verify lacks {component}"
    kills = Counter(bug for case in cases for bug in case["kills"])
    equations = len(repository.manifest["equations"])
    wanted = (equations, equations, len(cases), len(kills), len(kills))
    shown = COVERED.search(text)
    if shown is None or tuple(map(int, shown.groups())) != wanted:
        yield f"{PAGE}: covered are {equations} equations by {len(cases)} cases, and {len(kills)} bugs"
    killed = KILLED.findall(text)
    if not killed:
        yield f"{PAGE}: the output of golden kills is missing"
    for bug, by, _, case in killed:
        if kills[bug] != int(by):
            yield f"{PAGE}: {bug} is killed by {kills[bug]} cases, and {by} are shown"
        if not any(entry["id"] == case and bug in entry["kills"] for entry in cases):
            yield f"{PAGE}: {bug} is not killed by {case}"
    modules = {path.name for path in (repository.root / "Sources").iterdir() if any(path.rglob("*.swift"))} - {
        "v4-oracle"
    }
    named = {cells[0] for _, cells in repository.page(PAGE).tables() if len(cells) == 3}
    for module in sorted(modules):
        if f"[{module}](Sources/{module})" not in named:
            yield f"{PAGE}: the table of modules lacks {module}"
