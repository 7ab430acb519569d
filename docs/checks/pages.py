"""A page in Markdown, taken apart as far as the checks need it: headings, links, code spans, fenced blocks, tables."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

FENCE = re.compile(r"^ {0,3}(```+|~~~+)\s*([^`]*)$")
HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")
CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
DEFINITION = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?(\S+?)>?(?:\s+\"[^\"]*\")?\s*$", re.MULTILINE)
ATTRIBUTE = re.compile(r"<(?:a|img|source)\b[^>]*?\b(?:href|src|srcset)\s*=\s*[\"']([^\"']+)[\"']", re.IGNORECASE)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language ("" if none), the number of its first line, its text."""

    language: str
    line: int
    text: str


@dataclass
class Page:
    """`path` is from the root; `prose` has the fenced blocks blanked, so that line numbers stay those of the page."""

    path: str
    text: str
    blocks: list[Block]
    prose: str
    anchors: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, path: Path, root: Path) -> "Page":
        """A page in Markdown; its anchors are those that a forge makes of headings."""
        text = path.read_text(encoding="utf-8")
        blocks, prose = _split(text)
        page = cls(path.relative_to(root).as_posix(), text, blocks, prose)
        page.anchors = set(_slugs(heading for _, heading in page.headings()))
        page.anchors |= set(re.findall(r"<a\s+(?:id|name)=\"([^\"]+)\"", prose))
        return page

    @classmethod
    def read_notebook(cls, path: Path, root: Path) -> "Page":
        """The Markdown cells of an exported notebook; its anchors are those that Jupyter makes of headings."""
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        blocks, prose = _split(text)
        page = cls(path.relative_to(root).as_posix(), text, blocks, prose)
        page.anchors = {notebook_anchor(heading) for _, heading in page.headings()}
        return page

    def headings(self) -> Iterator[tuple[int, str]]:
        """Line number and text of each heading."""
        for number, line in enumerate(COMMENT.sub(_blank, self.prose).splitlines(), 1):
            if match := HEADING.match(line):
                yield number, match[2]

    def links(self) -> Iterator[tuple[int, str]]:
        """Line number and target of each link and picture, outside code."""
        text = CODE_SPAN.sub(_blank, COMMENT.sub(_blank, self.prose))
        for pattern in (LINK, DEFINITION, ATTRIBUTE):
            for match in pattern.finditer(text):
                yield text.count("\n", 0, match.start()) + 1, match[1]

    def code_spans(self) -> Iterator[tuple[int, str]]:
        """Line number and text of each code span."""
        for number, line in enumerate(self.prose.splitlines(), 1):
            for match in CODE_SPAN.finditer(line):
                yield number, match[2].strip()

    def tables(self) -> Iterator[tuple[int, list[str]]]:
        """Line number and cells of each row of a table, the rule under its head left out."""
        for number, line in enumerate(self.prose.splitlines(), 1):
            if line.startswith("|") and not re.fullmatch(r"[|\-: ]+", line):
                yield number, cells_of(line)


def cells_of(line: str) -> list[str]:
    """The cells of a table row; an escaped bar is no border."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def _blank(match: re.Match[str]) -> str:
    """As many lines and characters, with nothing in them."""
    return re.sub(r"[^\n]", " ", match[0])


def _split(text: str) -> tuple[list[Block], str]:
    """The fenced blocks, and the text without them."""
    blocks: list[Block] = []
    prose: list[str] = []
    fence, language, first, inside = "", "", 0, []
    for number, line in enumerate(text.splitlines(), 1):
        match = FENCE.match(line)
        if not fence and match:
            fence, language, first, inside = match[1], match[2].strip(), number + 1, []
        elif fence and match and match[1].startswith(fence) and not match[2].strip():
            blocks.append(Block(language, first, "\n".join(inside)))
            fence = ""
        elif fence:
            inside.append(line)
        prose.append("" if fence or match else line)
    if fence:
        blocks.append(Block("unclosed", first, "\n".join(inside)))
    return blocks, "\n".join(prose)


def _plain(heading: str) -> str:
    """A heading as it is read: without code marks, emphasis and the targets of links."""
    heading = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[`*]", "", COMMENT.sub("", heading)).strip()


def _slugs(headings: Iterator[str]) -> Iterator[str]:
    """The anchors of a page's headings: lower case, punctuation dropped, blanks as hyphens, repeats numbered."""
    seen: dict[str, int] = {}
    for heading in headings:
        slug = re.sub(r"[^\w\- ]", "", _plain(heading).lower()).replace(" ", "-")
        count = seen[slug] = seen.get(slug, -1) + 1
        yield slug if count == 0 else f"{slug}-{count}"


def notebook_anchor(heading: str) -> str:
    """The anchor of a heading in a notebook: its text with hyphens for blanks."""
    return _plain(heading).replace(" ", "-")
