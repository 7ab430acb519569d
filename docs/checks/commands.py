"""The commands that the pages show: each is run, in the order of its page, or is exempt for a reason.

Pages share nothing; the commands of one page share a folder, a copy of the repository. docs/doctest.json says what is
not run and why, what stands in for placeholders, and what has to be there before a page begins.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checks.copies import copy_tree
from checks.pages import Page
from checks.repository import Repository

TABLE = "docs/doctest.json"
SHELLS = ("sh", "bash", "shell")
LONGEST = 120  # seconds that a command may take


@dataclass(frozen=True)
class Command:
    """A command of a page as it stands there, comments left out."""

    page: str
    line: int
    text: str


def commands_of(page: Page) -> Iterator[Command]:
    """The commands of the blocks of shell; in a console block those after a prompt."""
    for block in page.blocks:
        if block.language not in (*SHELLS, "console"):
            continue
        text, first = "", 0
        for number, line in enumerate(block.text.splitlines(), block.line):
            if block.language == "console" and not text:
                if not line.startswith("$ "):
                    continue
                line = line[2:]
            line = without_comment(line) if not text else without_comment(line).lstrip()
            first = first if text else number
            text += line.removesuffix("\\")
            if not line.endswith("\\"):
                if text.strip():
                    yield Command(page.path, first, text.strip())
                text = ""
        if text.strip():
            yield Command(page.path, first, text.strip())


def without_comment(line: str) -> str:
    """The line up to a # that begins a comment: at its start or after a blank, and in no quotes."""
    quote = ""
    for index, character in enumerate(line):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "#" and (index == 0 or line[index - 1].isspace()):
            return line[:index].rstrip()
    return line.rstrip()


class Table:
    """docs/doctest.json; remembers which of its entries were of use."""

    def __init__(self, entries: dict[str, Any]):
        self.exempt: list[dict[str, str]] = entries.get("exempt", [])
        self.fails: list[dict[str, str]] = entries.get("fails", [])
        self.stand_ins: list[dict[str, str]] = entries.get("stand-ins", [])
        self.before: dict[str, list[str]] = entries.get("before", {})
        self.used: set[int] = set()

    @classmethod
    def read(cls, root: Path) -> "Table":
        return cls(json.loads((root / TABLE).read_text(encoding="utf-8")))

    def reason(self, command: Command) -> str | None:
        """Why a command is not run; nil if it is to run."""
        for entry in self.exempt:
            if (entry["page"], entry["command"]) == (command.page, command.text):
                self.used.add(id(entry))
                return entry["reason"]
        return None

    def status(self, command: Command) -> int:
        """The exit status that a command has to have: 1 where the page shows a check that fails."""
        for entry in self.fails:
            if (entry["page"], entry["command"]) == (command.page, command.text):
                self.used.add(id(entry))
                return 1
        return 0

    def runnable(self, command: Command) -> str:
        """The command with what stands in for its placeholders."""
        text = command.text
        for entry in self.stand_ins:
            if entry["page"] == command.page and entry["for"] in text:
                self.used.add(id(entry))
                text = text.replace(entry["for"], entry["use"])
        return text

    def faults(self, pages: set[str]) -> Iterator[str]:
        """Entries that were of no use, and exemptions without a reason."""
        for entry in self.exempt:
            if id(entry) not in self.used:
                yield f"{TABLE}: {entry['page']} has no command {entry['command']!r}: the exemption is stale"
            if len(entry["reason"].split()) < 2:
                yield f"{TABLE}: no reason is given for not running {entry['command']!r}"
        for entry in self.fails:
            if id(entry) not in self.used:
                yield f"{TABLE}: {entry['page']} has no command {entry['command']!r} that fails"
        for entry in self.stand_ins:
            if id(entry) not in self.used:
                yield f"{TABLE}: no command of {entry['page']} has {entry['for']!r}: the stand-in is stale"
        for page in self.before:
            if page not in pages:
                yield f"{TABLE}: {page} has no command that is run, and something is prepared for it"


def command_faults(repository: Repository) -> Iterator[str]:
    """Runs what is to be run. Prints a line for each command."""
    table = Table.read(repository.root)
    commands = [command for page in repository.pages if page.path.endswith(".md") for command in commands_of(page)]
    to_run = [command for command in commands if table.reason(command) is None]
    if not to_run:
        yield "no page has a command that is run"
    with tempfile.TemporaryDirectory(prefix="doctest-") as folder:
        copy = Path(folder).resolve() / "repository"
        copy_tree(repository.root, copy)
        for page in dict.fromkeys(command.page for command in to_run):
            session = Session(copy, repository.oracle)
            for text in table.before.get(page, []):
                if fault := session.run(text, quiet=True):
                    yield f"{TABLE}: before {page}: {text}: {fault}"
            for command in (command for command in to_run if command.page == page):
                status = table.status(command)
                if fault := session.run(table.runnable(command), f"{page}:{command.line}", status=status):
                    yield f"{page}:{command.line}: {command.text}: {fault}"
            yield from (f"{page}: its commands change {path}" for path in session.close())
    yield from table.faults({command.page for command in to_run})


class Session:
    """One page's shell: its variables and its folder last from command to command, files until the page ends."""

    def __init__(self, copy: Path, oracle: str):
        self.copy = copy
        self.before = _snapshot(copy)
        self.state = copy.parent / "state"
        tools = copy.parent / "tools"
        tools.mkdir(exist_ok=True)
        link = tools / "v4-oracle"
        if not link.exists():
            link.symlink_to(oracle)
        path = f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {**os.environ, "PATH": path, "V4_ORACLE": oracle, "PYTHONDONTWRITEBYTECODE": "1"}
        self.state.write_text(f"cd '{copy}'\n")

    def run(self, text: str, place: str = "", quiet: bool = False, status: int = 0) -> str | None:
        """Why a command failed, or did not where it should, with the end of what it printed; None if all is well."""
        script = f". '{self.state}'\n{text}\ncode=$?\n{{ export -p; echo \"cd '$PWD'\"; }} > '{self.state}'\nexit $code"
        started = time.monotonic()
        try:
            done = subprocess.run(
                ["bash", "-c", script],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=LONGEST,
            )
        except subprocess.TimeoutExpired:
            return f"takes longer than {LONGEST} s"
        if not quiet:
            print(f"  {time.monotonic() - started:5.1f} s  {place}  {text}", flush=True)
        if done.returncode == status:
            return None
        return f"exits with {done.returncode}: {' / '.join(done.stdout.split(chr(10))[-4:])}"

    def close(self) -> list[str]:
        """Removes what was made; what was changed or removed of the repository."""
        after = _snapshot(self.copy)
        for path in after.keys() - self.before.keys():
            (self.copy / path).unlink()
        for path in sorted((path for path in self.copy.rglob("*") if path.is_dir()), reverse=True):
            if not any(path.iterdir()):
                path.rmdir()
        return sorted(path for path, state in self.before.items() if after.get(path) != state)


def _snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of each file."""
    files = (path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    return {path.relative_to(folder).as_posix(): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in files}
