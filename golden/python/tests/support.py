"""What the tests share: the package's folder, the golden folder, temporary folders, and what may be missing."""

import importlib.util
import os
import sys
import tempfile
import unittest
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
GOLDEN = PACKAGE.parent
ROOT = GOLDEN.parent
sys.path.insert(0, str(PACKAGE))


def needs(*modules: str):
    """Skips a test class where a module is not installed, and says so."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        print(f"skipped: tests that need {', '.join(missing)}, which is not installed", file=sys.stderr)
    return unittest.skipIf(missing, f"{', '.join(missing)} is not installed")


def oracle() -> Path | None:
    """The built v4-oracle: the variable V4_ORACLE, or the newest in .build."""
    given = os.environ.get("V4_ORACLE")
    built = [path for kind in ("debug", "release") if (path := ROOT / ".build" / kind / "v4-oracle").is_file()]
    return Path(given) if given else max(built, key=lambda path: path.stat().st_mtime, default=None)


class InFolder(unittest.TestCase):
    """A test with a temporary folder of its own."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())
