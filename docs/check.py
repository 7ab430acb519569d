"""Holds the pages against the repository: links, equations, commands, snippets, known bugs, pictures.

    python docs/check.py [--write] [--only CHECK ...] [--root FOLDER]

Exits with 1 and a sentence for each fault. --write writes what is generated: docs/known-bugs.md, the tables of bugs in
docs/porting.md, the measured table of docs/deviations.md, the column of notebooks in docs/equations.md, the pictures.
Needs the command v4-oracle: V4_ORACLE, or the release build.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS))

from checks import deviations, equation_table, known_bugs  # noqa: E402
from checks.commands import command_faults  # noqa: E402
from checks.counts import count_faults  # noqa: E402
from checks.deviations import deviation_faults  # noqa: E402
from checks.equation_table import equation_faults  # noqa: E402
from checks.known_bugs import bug_faults  # noqa: E402
from checks.links import link_faults  # noqa: E402
from checks.notebooks import notebook_faults  # noqa: E402
from checks.presets import preset_faults  # noqa: E402
from checks.repository import NotPossible, Repository  # noqa: E402
from checks.snippets import snippet_faults  # noqa: E402
from checks.synopsis import synopsis_faults  # noqa: E402
from checks.versions import version_faults  # noqa: E402
from drawing.files import picture_faults, write_pictures  # noqa: E402

CHECKS: dict[str, Callable[[Repository], Iterator[str]]] = {
    "links": link_faults,
    "equations": equation_faults,
    "notebooks": notebook_faults,
    "bugs": bug_faults,
    "presets": preset_faults,
    "counts": count_faults,
    "versions": version_faults,
    "pictures": picture_faults,
    "deviations": deviation_faults,
    "synopsis": synopsis_faults,
    "snippets": snippet_faults,
    "commands": command_faults,
}


def write(repository: Repository) -> None:
    """Writes every generated page and picture, each under a temporary name first."""
    pages = {
        equation_table.PAGE: equation_table.written(repository),
        known_bugs.PAGE: known_bugs.whole_page(repository),
        deviations.PAGE: deviations.written(repository),
        known_bugs.PORTING: known_bugs.porting_page(repository),
    }
    for path, text in pages.items():
        temporary = (repository.root / path).with_suffix(".tmp")
        temporary.write_text(text, encoding="utf-8")
        temporary.rename(repository.root / path)
    write_pictures(repository)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write what is generated, and check nothing")
    parser.add_argument(
        "--only", nargs="+", choices=CHECKS, default=list(CHECKS), metavar="CHECK", help=", ".join(CHECKS)
    )
    parser.add_argument("--root", type=Path, default=DOCS.parent, help="another working tree")
    options = parser.parse_args()
    repository = Repository(options.root)
    faults = 0
    try:
        if options.write:
            write(repository)
            return 0
        for name in options.only:
            print(f"{name}:", flush=True)
            for fault in CHECKS[name](repository):
                faults += 1
                print(f"  FAULT  {fault}", flush=True)
    except (NotPossible, OSError, ValueError, KeyError) as error:
        print(f"check.py: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    print(
        f"{faults} faults" if faults else f"{len(options.only)} checks of {len(repository.pages)} pages found no fault"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
