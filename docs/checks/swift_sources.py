"""What the Swift sources declare: which types have which members, and which equations their doc comments cite."""

import re
from dataclasses import dataclass
from pathlib import Path

MODIFIERS = (
    "public|package|internal|private|fileprivate|open|static|class|final|mutating|nonisolated|override|indirect|consuming|"
    "borrowing|lazy|weak"
)
WORDS = rf"(?:@\w+(?:\([^)]*\))?\s+|(?:{MODIFIERS})(?:\(set\))?\s+)*"
TYPE = re.compile(rf"^\s*{WORDS}(struct|class|enum|protocol|actor|extension)\s+([\w.]+)")
MEMBER = re.compile(rf"^\s*{WORDS}(func|var|let|case|typealias|associatedtype|init|subscript)\b\s*([\w`]*|[^\s\w(]+)")
PARAMETER = re.compile(r"[(,]\s*(\w+)(?:\s+(\w+))?\s*:")
NUMBERED = re.compile(r"(?<![\w)])\((\d{1,2})\)")
UNNUMBERED = re.compile(r"(?<![\w.])\d\.\d(?:\.\d)?-[a-z]+(?:-[a-z]+)*")


@dataclass(frozen=True)
class Declaration:
    """`owner` is the type it stands in ("" for none), `place` file and line, `cites` what its doc comment cites."""

    owner: str
    name: str
    is_type: bool
    place: str
    cites: tuple[str, ...]
    parameters: tuple[str, ...]


class SwiftSources:
    """All declarations under a folder that stand in no function."""

    def __init__(self, folder: Path):
        self.declarations: list[Declaration] = []
        self.citations: dict[str, str] = {}
        for path in sorted(folder.rglob("*.swift")):
            self._read(path, path.relative_to(folder.parent).as_posix())
        self.types = {declaration.name for declaration in self.declarations if declaration.is_type}
        self.members = {(declaration.owner, declaration.name) for declaration in self.declarations if declaration.owner}
        self.names = {declaration.name for declaration in self.declarations}
        self.names |= {parameter for declaration in self.declarations for parameter in declaration.parameters}

    def declares(self, owner: str, name: str) -> bool:
        """Whether a type, with its extensions, has a member."""
        return (owner, name) in self.members

    def _read(self, path: Path, file: str) -> None:
        """Takes in a file: a stack of open braces says whether a declaration stands in a type or in a function."""
        text = path.read_text(encoding="utf-8")
        lines = _without_literals(text).splitlines()
        scopes: list[str | None] = []  # the name of a type, or nil for any other braces
        comment: list[str] = []
        pending: str | None = None  # a type whose brace is still to come
        for index, raw in enumerate(text.splitlines()):
            if raw.strip().startswith("///"):
                comment.append(raw.strip()[3:])
                continue
            cites = equations_in(comment)
            for equation in cites:
                self.citations.setdefault(equation, f"{file}:{index}")
            if None not in scopes:
                place = (scopes[-1] or "" if scopes else "", f"{file}:{index + 1}", tuple(cites))
                pending = self._declare(lines[index : index + 9], *place) or pending
            for brace in re.findall(r"[{}]", lines[index]):
                if brace == "{":
                    scopes.append(pending)
                    pending = None
                elif scopes:
                    scopes.pop()
            if raw.strip() and not raw.strip().startswith(("@", "//")):
                comment = []

    def _declare(self, lines: list[str], owner: str, place: str, cites: tuple[str, ...]) -> str | None:
        """Takes in what the first of some lines declares; the name of the type that it begins, if it does."""
        if match := TYPE.match(lines[0]):
            name = match[2].split(".")[-1]
            if match[1] != "extension":
                self.declarations.append(Declaration(owner, name, True, place, cites, ()))
            return name
        if match := MEMBER.match(lines[0]):
            parameters: tuple[str, ...] = ()
            if match[1] in ("func", "init", "subscript", "case"):
                signature = re.split(r"\{|\n\s*\n|->", "\n".join(lines))[0]
                parameters = tuple(name for pair in PARAMETER.findall(signature) for name in pair if name)
            names = [match[2].strip("`") or match[1]]
            if match[1] == "case":
                names += re.findall(r",\s*(\w+)", re.sub(r"\([^)]*\)", "", lines[0]))
            for name in names:
                self.declarations.append(Declaration(owner, name, False, place, cites, parameters))
        return None


def equations_in(comment: list[str]) -> list[str]:
    """The equation ids of a doc comment, outside fenced blocks: (8), and (9) to (19), as eq-8; 2.2-norm as it is."""
    text = re.sub(r"```.*?```", "", "\n".join(comment), flags=re.DOTALL)
    found = [f"eq-{number}" for number in NUMBERED.findall(text)]
    for first, last in re.findall(r"\((\d{1,2})\) to \((\d{1,2})\)", text):
        found += [f"eq-{number}" for number in range(int(first), int(last) + 1)]
    return list(dict.fromkeys(found + UNNUMBERED.findall(text)))


def _without_literals(text: str) -> str:
    """The text with comments and the insides of strings blanked; as many lines as before."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|#*"""(?:.|\n)*?"""#*|"(?:\\.|[^"\\\n])*"', re.DOTALL)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
