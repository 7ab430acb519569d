"""Declarations of the Swift sources, quoted as they are when the notebook is built."""

import re
import textwrap
from pathlib import Path

from .paths import ROOT

# A declaration without a body goes on where the next line begins with one of these.
CONTINUES = ("where ", "{", "->", "throws", ".", "=", "?", ":", "&&", "||")


def quote(file: str, declaration: str, doc: bool = True) -> None:
    """Displays a declaration with its file and lines.

    - file: from the repository root
    - declaration: how it begins, such as "func sinkhorn"; it has to be found on exactly one line of code
    - doc: with its doc comment

    Raises ValueError where there is none, more than one, or no end of it.
    """
    from IPython.display import Markdown, display

    display(Markdown(quotation(file, declaration, doc)))


def quotation(file: str, declaration: str, doc: bool = True, root: Path = ROOT) -> str:
    """What `quote` displays, as Markdown."""
    lines = (root / file).read_text(encoding="utf-8").splitlines()
    at = line_of(declaration, lines, file)
    first, end = at, end_of_declaration(lines, at, file)
    while first > 0 and lines[first - 1].lstrip().startswith(("///", "@")):
        first -= 1
    shown = [number for number in range(first, end) if doc or not lines[number].lstrip().startswith("///")]
    code = textwrap.dedent("\n".join(lines[number] for number in shown))
    return f"```swift\n{code}\n```\n\n[{file}](../{file}), lines {shown[0] + 1} to {end}"


def line_of(declaration: str, lines: list[str], file: str) -> int:
    pattern = re.compile(rf"(?<!\w){re.escape(declaration)}(?!\w)")
    found = [number for number, line in enumerate(lines)
             if not line.lstrip().startswith("//") and pattern.search(line)]
    if len(found) != 1:
        where = "nowhere" if not found else f"in lines {', '.join(str(number + 1) for number in found)}"
        raise ValueError(f"{file}: '{declaration}' stands {where}; it has to stand on one line")
    return found[0]


def end_of_declaration(lines: list[str], start: int, file: str) -> int:
    """The line after the declaration that begins at line `start`, both counted from 0."""
    depth, body = 0, False
    for number in range(start, len(lines)):
        code = without_literals(lines[number])
        depth += sum(code.count(opening) for opening in "([{") - sum(code.count(closing) for closing in ")]}")
        body = body or "{" in code
        following = lines[number + 1].lstrip() if number + 1 < len(lines) else ""
        if depth < 0:
            break
        if depth == 0 and (body or not following.startswith(CONTINUES)):
            return number + 1
    raise ValueError(f"{file}: the declaration in line {start + 1} has no end")


def without_literals(line: str) -> str:
    """The line without strings and comments, whose brackets do not count."""
    return re.sub(r'"(?:\\.|[^"\\])*"', '""', line).split("//")[0]
