"""Draws docs/architecture.svg and docs/architecture/*.svg from the tap registry.

    python docs/draw_architecture.py [--check]

--check compares with what is stored, and exits with 1 if anything differs. `make check-docs` does so, too.
"""

import argparse
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS))

from checks.repository import NotPossible, Repository  # noqa: E402
from drawing.files import picture_faults, write_pictures  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with what is stored")
    options = parser.parse_args()
    repository = Repository(DOCS.parent)
    try:
        if not options.check:
            print(f"pictures drawn anew: {write_pictures(repository)}")
            return 0
        faults = list(picture_faults(repository))
    except (NotPossible, ValueError) as error:
        print(f"draw_architecture.py: {error}", file=sys.stderr)
        return 2
    print("\n".join(faults) if faults else "the pictures are those of the tap registry")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
