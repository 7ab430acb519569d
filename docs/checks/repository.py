"""The repository as the checks see it: its pages, its golden manifest, its tap registry, its sources."""

import json
import os
import shutil
import subprocess
from functools import cached_property
from pathlib import Path
from typing import Any

from checks.pages import Page
from checks.swift_sources import SwiftSources

PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/**/*.md",
    "golden/*.md",
    "golden/python/README*",
    "notebooks-export/*.md",
)


class NotPossible(Exception):
    """A check cannot run at all; one sentence."""


class Repository:
    """A working tree. `oracle` is the command to ask for taps and help; found when it is first needed."""

    def __init__(self, root: Path, oracle: str | None = None):
        self.root = root.resolve()
        self._oracle = oracle
        self._answers: dict[tuple[str, ...], str] = {}

    @cached_property
    def pages(self) -> list[Page]:
        """Every page in Markdown and every exported notebook, by path."""
        paths = {path for pattern in PAGES for path in self.root.glob(pattern) if path.is_file()}
        pages = [Page.read(path, self.root) for path in sorted(paths)]
        return pages + [Page.read_notebook(path, self.root) for path in self.notebooks]

    @cached_property
    def notebooks(self) -> list[Path]:
        """The exported notebooks, in their order."""
        return sorted((self.root / "notebooks-export").glob("*.ipynb"))

    def page(self, path: str) -> Page:
        """The page of a path from the root."""
        for page in self.pages:
            if page.path == path:
                return page
        raise NotPossible(f"{path} is not there")

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """golden/manifest.json."""
        return json.loads((self.root / "golden/manifest.json").read_text(encoding="utf-8"))

    @cached_property
    def sources(self) -> SwiftSources:
        """The Swift sources of the package."""
        return SwiftSources(self.root / "Sources")

    @cached_property
    def oracle(self) -> str:
        """The command: V4_ORACLE, or the release build."""
        command = self._oracle or os.environ.get("V4_ORACLE")
        if command is None:
            shown = ["swift", "build", "-c", "release", "--show-bin-path"]
            folder = subprocess.run(shown, cwd=self.root, capture_output=True, text=True, check=True).stdout.strip()
            command = f"{folder}/v4-oracle"
        if shutil.which(command) is None:
            raise NotPossible(f"{command} is not there; build it (swift build -c release) or set V4_ORACLE")
        return str(Path(command).resolve())

    def ask(self, *arguments: str) -> str:
        """What the command prints; it is asked once."""
        if arguments in self._answers:
            return self._answers[arguments]
        done = subprocess.run([self.oracle, *arguments], cwd=self.root, capture_output=True, text=True)
        if done.returncode != 0:
            raise NotPossible(f"v4-oracle {' '.join(arguments)} exits with {done.returncode}: {done.stderr.strip()}")
        self._answers[arguments] = done.stdout
        return done.stdout

    @cached_property
    def verification(self) -> dict[str, Any]:
        """What `v4-oracle verify --json -` says of the golden cases."""
        return json.loads(self.ask("verify", "--json", "-"))

    @cached_property
    def bugs(self) -> list[dict[str, Any]]:
        """The known bugs, as `v4-oracle bugs --json -` prints them."""
        return json.loads(self.ask("bugs", "--json", "-"))

    @cached_property
    def taps(self) -> list[dict[str, Any]]:
        """The tap registry, as `v4-oracle taps --json -` prints it."""
        return json.loads(self.ask("taps", "--json", "-"))
