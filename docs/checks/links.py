"""Links, anchors, paths in code spans: whether they lead somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from checks.pages import Page
from checks.repository import Repository

MACHINE_PATH = re.compile(r"(?<![\w./…>])(?:file://|/(?:home|root|tmp|Users|work|private|var|mnt)/[\w.])")
TREE = re.compile(r"(?:Sources|Tests|golden|docs|notebooks-export|\.ci)/[\w./+\-]*\w")
CASE = re.compile(r"(?:tiny|odd|published|setup)/[a-z-]+/[a-z0-9-]+")


def link_faults(repository: Repository) -> Iterator[str]:
    """Links that lead nowhere, paths of one machine, files and cases that are named and not there."""
    anchors: dict[Path, set[str] | None] = {repository.root / page.path: page.anchors for page in repository.pages}
    cases = {case["id"] for case in repository.manifest["cases"]}
    for page in repository.pages:
        for line, target in page.links():
            if fault := _fault(repository, page, target, anchors):
                yield f"{page.path}:{line}: {fault}"
        for number, text in enumerate(page.text.splitlines(), 1):
            if match := MACHINE_PATH.search(text):
                yield f"{page.path}:{number}: {match[0]}… is a path of one machine"
        for line, span in page.code_spans():
            if TREE.fullmatch(span) and not (repository.root / span).exists():
                yield f"{page.path}:{line}: `{span}` is named, but not there"
            if CASE.fullmatch(span) and span not in cases:
                yield f"{page.path}:{line}: there is no golden case `{span}`"


def _fault(repository: Repository, page: Page, target: str, anchors: dict[Path, set[str] | None]) -> str | None:
    """Why a target is no good; nil if it is."""
    if re.match(r"(?:https?|mailto):", target):
        return None
    if re.match(r"[a-z][a-z0-9+.-]*:", target, re.IGNORECASE):
        return f"{target}: links are relative, or https"
    path, _, anchor = unquote(target).partition("#")
    if PurePosixPath(path).is_absolute():
        return f"{target}: a link has to be relative"
    place = (repository.root / page.path).parent / path if path else repository.root / page.path
    place = place.resolve()
    if repository.root != place and repository.root not in place.parents:
        return f"{target} leads out of the repository"
    if not place.exists():
        return f"{target} leads nowhere"
    if not anchor:
        return None
    if place not in anchors:
        anchors[place] = _other_anchors(place, repository)
    known = anchors[place]
    if known is None:
        return None if re.fullmatch(r"L\d+(-L\d+)?", anchor) else f"{target}: {place.name} has no anchors"
    return None if anchor in known else f"{target}: {place.name} has no heading #{anchor}"


def _other_anchors(place: Path, repository: Repository) -> set[str] | None:
    """The anchors of a file that is none of the pages; nil where there are none."""
    if place.suffix == ".md":
        return Page.read(place, repository.root).anchors
    if place.suffix == ".html":
        return set(re.findall(r"\bid=[\"']([^\"']+)[\"']", place.read_text(encoding="utf-8")))
    return None
