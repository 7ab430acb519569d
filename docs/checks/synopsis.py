"""The list of commands in README.md, and every command named in a code span, against the help and the Makefile."""

import re
from collections.abc import Iterator

from checks.repository import Repository

HEADING = "## The command"
FLAG = re.compile(r"--[a-z][a-z-]*")
SUBCOMMAND = re.compile(r"^  ([a-z][a-z-]*)(?:\s|$)", re.MULTILINE)


def subcommands(help: str) -> list[str]:
    """The names under SUBCOMMANDS of a help text."""
    return SUBCOMMAND.findall(help.partition("SUBCOMMANDS:")[2])


def listed(repository: Repository) -> list[str]:
    """The lines of the listing, without what they say of themselves."""
    page = repository.page("README.md")
    start = page.text.find(HEADING)
    line = page.text.count("\n", 0, start) + 1
    block = next((block for block in page.blocks if start >= 0 and block.line > line), None)
    return [re.split(r"\s{3,}", text)[0] for text in block.text.splitlines()] if block else []


def command_paths(repository: Repository) -> set[tuple[str, ...]]:
    """Every command that does something: check, and golden lint, but not golden."""
    names = {name: subcommands(repository.ask(name, "--help")) for name in subcommands(repository.ask("--help"))}
    return {(name, inner) if inner else (name,) for name, inners in names.items() for inner in inners or [""]}


def path_of(line: str, paths: set[tuple[str, ...]]) -> tuple[str, ...] | None:
    """Which command a line calls; nil if it is none."""
    words = line.split()
    if words[:1] != ["v4-oracle"]:
        return None
    return next((tuple(words[1:end]) for end in (3, 2) if tuple(words[1:end]) in paths), None)


def unknown_flags(line: str, path: tuple[str, ...], repository: Repository) -> Iterator[str]:
    """Flags of a line that its command does not have; what stands in quotes is another command's."""
    known = set(FLAG.findall(repository.ask(*path, "--help")))
    for flag in FLAG.findall(re.sub(r"'[^']*'|\"[^\"]*\"", "", line)):
        if flag not in known:
            yield f"v4-oracle {' '.join(path)} has no {flag}"


def mention_faults(repository: Repository) -> Iterator[str]:
    """Code spans that name a command, a flag of one, or a target of the Makefile that does not exist."""
    paths = command_paths(repository)
    groups = {path[0] for path in paths if len(path) > 1}
    targets = set(re.findall(r"^([a-z-]+):", (repository.root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in repository.pages:
        for line, span in page.code_spans():
            words = span.split()
            if (
                words[:1] == ["v4-oracle"]
                and len(words) > 1
                and re.fullmatch(r"[a-z-]+", words[1])
                and words[1] != "help"
            ):
                path = path_of(span, paths)
                if path is None and not (len(words) == 2 and words[1] in groups):
                    yield f"{page.path}:{line}: `{span}` is no command of v4-oracle"
                elif path:
                    yield from (f"{page.path}:{line}: {fault}" for fault in unknown_flags(span, path, repository))
            if words[:1] == ["make"]:
                for target in words[1:]:
                    if re.fullmatch(r"[a-z-]+", target) and target not in targets:
                        yield f"{page.path}:{line}: the Makefile has no {target}"


def synopsis_faults(repository: Repository) -> Iterator[str]:
    """Commands and flags that are listed and do not exist, and commands that exist and are not listed."""
    lines = listed(repository)
    if not lines:
        yield f"README.md: no listing under {HEADING!r}"
    paths = command_paths(repository)
    if not paths:
        yield "v4-oracle --help lists no subcommand"
    found: set[tuple[str, ...]] = set()
    for line in lines:
        path = path_of(line, paths)
        if path is None:
            yield f"README.md: `{line}` is no command of v4-oracle"
            continue
        found.add(path)
        yield from (f"README.md: {fault}" for fault in unknown_flags(line, path, repository))
    for path in sorted(paths - found):
        yield f"README.md: the listing lacks v4-oracle {' '.join(path)}"
    yield from mention_faults(repository)
