"""Holds the comments of public symbols to rules, on the symbol graphs that `swift package dump-symbol-graph` writes.

    python3 check_api_docs.py modules PRODUCT < PACKAGE          modules of a product, from `swift package dump-package`
    python3 check_api_docs.py check FOLDER EQUATIONS MODULE ...  exits with 1 and a sentence for each fault

Everywhere: a public type, function, initializer or method has a comment; properties, cases, operators and `init()` may
do without. In the component modules, the ones that hold the equations, moreover:

- What takes or gives a `Tensor` states a shape, as in `[T, n, d]`. An initializer may leave that to the properties that
  its parameters are named after.
- What throws has `- Throws:`, with the type if the declaration names one. A step may leave that to its protocol, which
  then says "Steps throw `InputError`".
- A step, a requirement of a protocol called *Steps, cites an equation of EQUATIONS or a section of the report: in its
  comment, or in the row of its protocol's table that names it.

A requirement and its default implementation share their comments.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

COMPONENTS = (
    "Tensors", "RotaryEmbedding", "LowPrecision", "TokenCompression", "CoreAttention", "CompressedSparseAttention",
    "HeavilyCompressedAttention", "HyperConnections", "ExpertRouting", "DeepSeekV4",
)  # fmt: skip

# (rule, module, symbol): why the rule does not hold for it
EXCEPTIONS = {
    ("source", "CoreAttention", "StateSteps.rollBack(_:to:)"): "the report takes no tokens back; engines do",
    ("source", "CoreAttention", "StateSteps.rollBackPrediction(_:to:)"): "the report takes no tokens back; engines do",
}

TENSOR = "s:7Tensors6TensorV"
TYPES = {"struct", "class", "enum", "actor", "protocol", "typealias"}
FUNCTIONS = {"func", "method", "type.method", "init", "subscript", "type.subscript"}
FREE = {"property", "type.property", "enum.case", "func.op", "associatedtype", "var", "deinit"}

SHAPE = re.compile(r'`\[[^\[\]`"]*\]`')
THROWS = re.compile(r"^- Throws: *(\S.*(?:\n(?!- |\n).*)*)", re.MULTILINE)
NUMBERED = re.compile(r"(?<![\w)])\((\d{1,2})\)")
UNNUMBERED = re.compile(r"(?<![\w.])\d\.\d(?:\.\d)?-[a-z]+(?:-[a-z]+)*")
SECTION = re.compile(r"\breport \d\.\d")

Symbol = dict[str, Any]


class NotPossible(Exception):
    """Nothing can be checked; the sentence says why."""


class SymbolGraphs:
    """The symbols of some modules, with their extensions of other modules, and how they belong together."""

    def __init__(self, documents: list[Symbol]):
        self.symbols = [(graph["module"]["name"], symbol) for graph in documents for symbol in graph["symbols"]]
        self.by_id = {symbol["identifier"]["precise"]: symbol for _, symbol in self.symbols}
        self.parents: dict[str, str] = {}
        self.partners: dict[str, list[str]] = {}
        self.requirements: set[str] = set()
        for relation in (relation for graph in documents for relation in graph["relationships"]):
            source, target = relation["source"], relation["target"]
            if relation["kind"] in ("memberOf", "requirementOf", "optionalRequirementOf"):
                self.parents[source] = target
            if relation["kind"] in ("requirementOf", "optionalRequirementOf"):
                self.requirements.add(source)
            if relation["kind"] == "defaultImplementationOf":
                self.partners.setdefault(source, []).append(target)
                self.partners.setdefault(target, []).append(source)
        self.members: dict[str, list[Symbol]] = {}
        for child, parent in self.parents.items():
            if child in self.by_id:
                self.members.setdefault(parent, []).append(self.by_id[child])

    def text(self, symbol: Symbol) -> str:
        """The comments of a symbol and of the requirement or default implementation that belongs to it."""
        partners = (self.by_id.get(id) for id in self.partners.get(symbol["identifier"]["precise"], []))
        return "\n\n".join(filter(None, [comment(symbol), *(comment(partner) for partner in partners if partner)]))

    def steps(self, symbol: Symbol) -> Symbol | None:
        """The protocol of steps that a requirement or a default implementation belongs to."""
        id = symbol["identifier"]["precise"]
        for requirement in [id, *self.partners.get(id, [])]:
            protocol = self.by_id.get(self.parents.get(requirement, ""))
            if requirement in self.requirements and protocol and protocol["names"]["title"].endswith("Steps"):
                return protocol
        return None


def comment(symbol: Symbol) -> str:
    return "\n".join(line["text"] for line in symbol.get("docComment", {}).get("lines", []))


def kind(symbol: Symbol) -> str:
    return symbol["kind"]["identifier"].removeprefix("swift.")


def name(symbol: Symbol) -> str:
    return ".".join(symbol["pathComponents"])


def takes_tensor(parameter: Symbol) -> bool:
    return any(fragment.get("preciseIdentifier") == TENSOR for fragment in parameter["declarationFragments"])


def concerns_tensors(symbol: Symbol) -> bool:
    signature = symbol.get("functionSignature", {})
    given = {"declarationFragments": signature.get("returns", [])}
    return any(map(takes_tensor, [*signature.get("parameters", []), given]))


def thrown(symbol: Symbol) -> str | None:
    """What a function itself throws: the name of a type, "" for any error, None for nothing. Closures do not count."""
    depth = 0
    fragments = symbol["declarationFragments"]
    for index, fragment in enumerate(fragments):
        if depth == 0 and fragment["kind"] == "keyword" and fragment["spelling"] in ("throws", "rethrows"):
            typed = fragments[index + 1 : index + 2] and fragments[index + 1]["spelling"].startswith("(")
            return fragments[index + 2]["spelling"] if typed else ""
        if fragment["kind"] == "text":
            depth += fragment["spelling"].count("(") - fragment["spelling"].count(")")
    return None


def has_shape(graphs: SymbolGraphs, symbol: Symbol) -> bool:
    if SHAPE.search(graphs.text(symbol)):
        return True
    siblings = graphs.members.get(graphs.parents.get(symbol["identifier"]["precise"], ""), [])
    properties = (sibling for sibling in siblings if kind(sibling) == "property")
    shaped = {property["names"]["title"] for property in properties if SHAPE.search(comment(property))}
    tensors = {parameter["name"] for parameter in symbol["functionSignature"]["parameters"] if takes_tensor(parameter)}
    return kind(symbol) == "init" and tensors <= shaped


def says_what_is_thrown(graphs: SymbolGraphs, symbol: Symbol, error: str) -> bool:
    said = THROWS.findall(graphs.text(symbol))
    if protocol := graphs.steps(symbol):
        said += re.findall(r"\bSteps throw `.*", comment(protocol))
    return any(not error or f"`{error}`" in sentence for sentence in said)


def cites(text: str, equations: set[str]) -> bool:
    plain = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return bool(equations_in(plain) & equations or SECTION.search(plain))


def equations_in(text: str) -> set[str]:
    return {f"({number})" for number in NUMBERED.findall(text)} | set(UNNUMBERED.findall(text))


def has_source(graphs: SymbolGraphs, symbol: Symbol, protocol: Symbol, equations: set[str]) -> bool:
    step = f"`{symbol['names']['title'].split('(')[0]}`"
    rows = [line for line in comment(protocol).splitlines() if line.startswith("|") and step in line.split("|")[1]]
    return any(cites(text, equations) for text in [graphs.text(symbol), *rows])


def broken_rules(graphs: SymbolGraphs, module: str, symbol: Symbol, equations: set[str]) -> Iterator[tuple[str, str]]:
    """Rule and sentence for each rule that a symbol breaks."""
    if kind(symbol) not in TYPES | FUNCTIONS | FREE:
        yield "kind", f"is a {kind(symbol)}, which no rule knows"
    if kind(symbol) not in TYPES | FUNCTIONS or symbol["names"]["title"] == "init()":
        return
    if not graphs.text(symbol).strip():
        yield "comment", "has no comment"
    elif module in COMPONENTS and kind(symbol) in FUNCTIONS:
        if concerns_tensors(symbol) and not has_shape(graphs, symbol):
            yield "shape", "takes or gives a Tensor and states no shape, as in `[T, d]`"
        error = thrown(symbol)
        if error is not None and not says_what_is_thrown(graphs, symbol, error):
            yield "throws", f"throws, and its comment has no `- Throws:`{f' with `{error}`' if error else ''}"
        protocol = graphs.steps(symbol)
        if protocol and not has_source(graphs, symbol, protocol, equations):
            yield "source", f"is a step, and neither it nor its row of {name(protocol)} cites a source"


def faults(graphs: SymbolGraphs, modules: list[str], equations: set[str]) -> Iterator[str]:
    """A sentence for each symbol and rule, and for each exception that is none."""
    if TENSOR not in graphs.by_id:
        yield f"no symbol is {TENSOR}, so that nothing is known to be a Tensor"
    for component in COMPONENTS:
        if component not in modules:
            yield f"the component {component} is no module of the product"
    present = {module for module, _ in graphs.symbols}
    for module in modules:
        if module not in present:
            yield f"{module} has no public symbols"
    needless = set(EXCEPTIONS)
    for module, symbol in graphs.symbols:
        for rule, sentence in broken_rules(graphs, module, symbol, equations):
            exception = (rule, module, name(symbol))
            needless.discard(exception)
            if exception not in EXCEPTIONS:
                yield f"{place(module, symbol)}: {name(symbol)} {sentence}"
    for rule, module, symbol_name in sorted(needless):
        yield f"the exception of {module} {symbol_name} to the rule '{rule}' is needless"


def place(module: str, symbol: Symbol) -> str:
    if "location" not in symbol:
        return module
    file = symbol["location"]["uri"].removeprefix("file://")
    path = Path(file).relative_to(Path.cwd()) if Path(file).is_relative_to(Path.cwd()) else Path(file)
    return f"{path}:{symbol['location']['position']['line'] + 1}"


def loaded(folder: Path, module: str) -> list[Symbol]:
    """The graphs of a module: its own, and those of its extensions of other modules."""
    if not (folder / f"{module}.symbols.json").is_file():
        raise NotPossible(f"{module} has no symbol graph")
    paths = [folder / f"{module}.symbols.json", *sorted(folder.glob(f"{module}@*.symbols.json"))]
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def known_equations(page: Path) -> set[str]:
    """The ids in the first column of the page."""
    cells = (line.split("|")[1] for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| "))
    equations = {id for cell in cells for id in equations_in(cell)}
    if not equations:
        raise NotPossible(f"{page} lists no equations")
    return equations


def modules_of(package: Symbol, product: str) -> list[str]:
    """The modules of a library product."""
    libraries = {entry["name"]: entry["targets"] for entry in package["products"] if "library" in entry["type"]}
    if not libraries.get(product):
        raise NotPossible(f"the package has no library {product} with modules")
    return libraries[product]


def main(arguments: list[str]) -> int:
    try:
        match arguments:
            case ["modules", product]:
                print("\n".join(modules_of(json.load(sys.stdin), product)))
                return 0
            case ["check", folder, page, _, *_]:
                modules = arguments[3:]
                graphs = SymbolGraphs([graph for module in modules for graph in loaded(Path(folder), module)])
                found = list(faults(graphs, modules, known_equations(Path(page))))
            case _:
                raise NotPossible("usage: modules PRODUCT, or check FOLDER EQUATIONS MODULE ...")
    except (NotPossible, OSError, ValueError, KeyError) as error:
        found = [str(error)]
    for fault in found:
        print(f"api-docs: {fault}", file=sys.stderr)
    if not found:
        print(f"api-docs: the comments of {len(graphs.symbols)} public symbols in {len(modules)} modules hold")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
