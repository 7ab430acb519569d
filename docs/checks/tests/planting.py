"""A copy of the repository to plant faults in. The copy has no golden vectors, and a tap registry from a file."""

import contextlib
import json
import sys
import tempfile
import unittest
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "docs"))

from checks.copies import copy_tree  # noqa: E402
from checks.repository import Repository  # noqa: E402

Check = Callable[[Repository], Iterator[str]]


REAL = Repository(ROOT)
"""The working tree itself: its command is asked once."""


class Planting(unittest.TestCase):
    """`sees` asserts that a check finds nothing new before a fault is planted, and the fault afterwards."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.root = Path(cls.folder.name) / "repository"
        copy_tree(ROOT, cls.root, "vectors", "*.ipynb", "*.html")
        (cls.root / "golden/vectors").mkdir()
        (cls.root / "bugs.json").write_text(json.dumps(REAL.bugs, ensure_ascii=False), encoding="utf-8")
        cls.cache: dict[str, set[str]] = {}

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def repository(self) -> Repository:
        """The copy as it is now."""
        repository = Repository(self.root, oracle="/usr/bin/false")
        taps = self.root / "golden/python/v4oracle/taps.json"
        repository.__dict__["taps"] = json.loads(taps.read_text(encoding="utf-8"))
        repository.__dict__["bugs"] = json.loads((self.root / "bugs.json").read_text(encoding="utf-8"))
        repository.__dict__["verification"] = REAL.verification
        return repository

    def faults(self, check: Check) -> set[str]:
        return set(check(self.repository()))

    @contextlib.contextmanager
    def planted(self, path: str, old: str, new: str) -> Iterator[None]:
        """A file of the copy with one text in the place of another; "" as the old one appends."""
        file = self.root / path
        text = file.read_text(encoding="utf-8") if file.exists() else None
        if old:
            self.assertIn(old, text or "", f"{path} has nothing to replace")
        file.write_text((text or "").replace(old, new, 1) if old else (text or "") + new, encoding="utf-8")
        try:
            yield
        finally:
            file.unlink() if text is None else file.write_text(text, encoding="utf-8")

    def sees(self, check: Check, path: str, old: str, new: str, fault: str) -> None:
        """That a planted fault makes the check say something with this text that it did not say before."""
        if check.__name__ not in self.cache:
            self.cache[check.__name__] = self.faults(check)
        with self.planted(path, old, new):
            found = self.faults(check) - self.cache[check.__name__]
        self.assertTrue(any(fault in text for text in found), f"{fault!r} is not in {sorted(found)}")
