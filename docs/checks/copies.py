"""Copies of a working tree, without what was built and what is no file."""

import shutil
from collections.abc import Callable
from pathlib import Path

BUILT = (".git", ".build*", ".swiftpm", ".venv*", "__pycache__", "*.tmp")


def copy_tree(root: Path, target: Path, *left_out: str) -> None:
    """Copies all files but those that fit a pattern, and nothing else: no sockets, no pipes."""
    patterns: Callable[[str, list[str]], set[str]] = shutil.ignore_patterns(*BUILT, *left_out)

    def ignored(folder: str, names: list[str]) -> set[str]:
        places = {name: Path(folder) / name for name in names}
        return patterns(folder, names) | {
            name for name, place in places.items() if not (place.is_file() or place.is_dir())
        }

    shutil.copytree(root, target, ignore=ignored)
