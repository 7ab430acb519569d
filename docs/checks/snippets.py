"""Blocks of Python, JSON and Swift on the pages: what can be held against code that runs."""

import ast
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from checks.commands import TABLE
from checks.pages import Block, Page
from checks.repository import Repository

CONSUMER = "Tests/ConsumerPackage"
OWN = re.compile(r"\b(?:my\w*|My\w*|mine)\b")
PACKAGES = {"v4oracle": "golden/python/v4oracle/__init__.py", "read_case": "golden/read_case.py"}


def snippet_faults(repository: Repository) -> Iterator[str]:
    """Blocks that do not parse, that use names that do not exist, that fail, or whose end is missing."""
    table = json.loads((repository.root / TABLE).read_text(encoding="utf-8"))["python"]
    used: set[int] = set()
    for page in repository.pages:
        for block in page.blocks:
            where = f"{page.path}:{block.line}"
            if block.language == "unclosed":
                yield f"{where}: the block is never closed"
            elif block.language == "json":
                yield from _json_faults(where, block)
            elif block.language == "swift" and page.path == "README.md":
                yield from _swift_faults(where, block, repository)
            elif block.language == "python" and page.path.endswith(".md"):
                yield from _python_faults(where, page, block, repository, table, used)
    for number, entry in enumerate(table):
        if number not in used:
            yield f"{TABLE}: {entry['page']} has no block of Python with {entry['with']!r}"


def _json_faults(where: str, block: Block) -> Iterator[str]:
    try:
        json.loads(block.text)
    except ValueError as error:
        yield f"{where}: {error}"


def _python_faults(
    where: str, page: Page, block: Block, repository: Repository, table: list[dict[str, Any]], used: set[int]
) -> Iterator[str]:
    """Parses it, looks up what it imports of this repository, and runs it as docs/doctest.json says."""
    try:
        tree = ast.parse(block.text)
    except SyntaxError as error:
        yield f"{where}: {error}"
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in PACKAGES:
            module = ast.parse((repository.root / PACKAGES[node.module]).read_text(encoding="utf-8"))
            known = {
                alias.name for inner in ast.walk(module) if isinstance(inner, ast.ImportFrom) for alias in inner.names
            }
            known |= {inner.name for inner in module.body if isinstance(inner, (ast.FunctionDef, ast.ClassDef))}
            for alias in node.names:
                if alias.name not in known:
                    yield f"{where}: {node.module} has no {alias.name}"
    entry = next((number for number, entry in enumerate(table) if _fits(entry, page, block)), None)
    if entry is None:
        yield f"{where}: this block of Python is neither run nor exempt ({TABLE})"
        return
    used.add(entry)
    if "reason" not in table[entry]:
        yield from _run(where, "\n".join([*table[entry]["before"], block.text]), repository)


def _fits(entry: dict[str, Any], page: Page, block: Block) -> bool:
    return entry["page"] == page.path and entry["with"] in block.text


def _run(where: str, text: str, repository: Repository) -> Iterator[str]:
    """Runs a script in an empty folder, with the modules of the repository in reach."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "block.py"
        script.write_text(text, encoding="utf-8")
        path = f"{repository.root / 'golden'}:{repository.root / 'golden/python'}"
        environment = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "GOLDEN": str(repository.root / "golden")}
        command = [sys.executable, str(script)]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60
        )
        print(f"  ran    {where}  a block of Python", flush=True)
        if done.returncode != 0:
            yield f"{where}: {done.stderr.strip().splitlines()[-1]}"


def _swift_faults(where: str, block: Block, repository: Repository) -> Iterator[str]:
    """The engine in Swift against the consumer package, which is built and tested: every line without a name of the
    reader's own stands there, and so does every word of the other lines."""
    files = sorted((repository.root / CONSUMER).rglob("*.swift"))
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    lines = {line.strip() for line in text.splitlines()}
    words = set(re.findall(r"\w+", text))
    for number, line in enumerate(block.text.splitlines(), block.line):
        if not OWN.search(line):
            if line.strip() and line.strip() not in lines:
                yield f"README.md:{number}: {CONSUMER} has no line `{line.strip()}`"
        for word in re.findall(r"[A-Za-z_]\w*", OWN.sub("", line)):
            if word not in words:
                yield f"README.md:{number}: {CONSUMER} does not use {word}"
