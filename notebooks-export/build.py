"""Executes the sources of the study notebooks and writes what is exported: a notebook and a page for each.

    python notebooks-export/build.py [--check] [--only 03]    build, or compare with what is there
"""

import argparse
import difflib
import os
import sys
import tempfile
from pathlib import Path

import matplotlib.font_manager  # noqa: F401  writes its cache now, so that no cell has to say that it does
import nbformat
from exporter.execute import ExportError, executed
from exporter.index import index_faults
from exporter.page import page

FOLDER = Path(__file__).resolve().parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with what is there, byte for byte; write nothing")
    parser.add_argument("--only", metavar="NN", help="only the source with this number")
    arguments = parser.parse_args()
    try:
        if arguments.check:
            return check(FOLDER, arguments.only)
        for path in build(FOLDER, FOLDER, arguments.only):
            print(f"wrote {path.name}")
        return 0
    except ExportError as error:
        print(error, file=sys.stderr)
        return 1


def sources_in(folder: Path, only: str | None = None) -> list[Path]:
    """The sources `NN-name.py`, in order."""
    found = sorted((folder / "sources").glob(f"{only or '[0-9][0-9]'}-*.py"))
    if not found:
        raise ExportError(f"there is no source {only or 'NN'}-*.py")
    return found


def build(folder: Path, into: Path, only: str | None = None) -> list[Path]:
    """Exports the sources of a folder, all or one, into another.

    An export is written when all of it is there: a source that cannot be executed leaves the old one as it is.
    """
    names = [source.stem for source in sources_in(folder)]
    written = []
    for source in sources_in(folder, only):
        notebook = executed(source, folder, folder.parent)
        texts = {"ipynb": nbformat.writes(notebook), "html": page(notebook, source.stem, names)}
        for ending, text in texts.items():
            written.append(replace(into / f"{source.stem}.{ending}", text.rstrip("\n") + "\n"))
    return written


def replace(path: Path, text: str) -> Path:
    """Writes to a temporary name beside it, then renames."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
    return path


def check(folder: Path, only: str | None = None) -> int:
    """1 where what is there is not what the sources give: another byte, an export missing or too many."""
    with tempfile.TemporaryDirectory() as temporary:
        built = build(folder, Path(temporary), only)
        faults = [fault for path in built for fault in differences(path, folder / path.name)]
        if only is None:
            extra = {path.name for ending in ("ipynb", "html") for path in folder.glob(f"*.{ending}")}
            faults += [f"{name} has no source" for name in sorted(extra - {path.name for path in built})]
            faults += index_faults(folder / "README.md", [source.stem for source in sources_in(folder)])
    print("\n".join(faults) if faults else f"{len(built)} exports are what their sources give")
    return 1 if faults else 0


def differences(built: Path, there: Path) -> list[str]:
    if not there.is_file():
        return [f"{there.name} is missing"]
    if there.read_bytes() == built.read_bytes():
        return []
    texts = [path.read_bytes().decode("utf-8", errors="replace").splitlines() for path in (there, built)]
    lines = list(difflib.unified_diff(*texts, f"{there.name} as it is", f"{there.name} as built", lineterm="", n=1))
    return [f"{there.name} is not what its source gives", *(line[:200] for line in lines[:200])]


if __name__ == "__main__":
    sys.exit(main())
