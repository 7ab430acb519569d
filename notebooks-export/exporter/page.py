"""The HTML page of a notebook: one file, nothing from the network."""

import html
import itertools
import re
from pathlib import Path
from string import Template

import nbformat
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter

from .execute import ExportError

HERE = Path(__file__).resolve().parent


def page(notebook: nbformat.NotebookNode, name: str, names: list[str]) -> str:
    """The page of `name`, which is one of all `names` in their order."""
    exporter = HTMLExporter(template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True)
    body, _ = exporter.from_notebook_node(notebook)
    light, dark = (HtmlFormatter(style=style).get_style_defs(".highlight") for style in ("default", "github-dark"))
    return Template((HERE / "page.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(title(notebook, name)), style=(HERE / "page.css").read_text(encoding="utf-8").strip(),
        light=light, dark=dark, links=links(name, names), body=trimmed(unbroken(described(body))))


def title(notebook: nbformat.NotebookNode, name: str) -> str:
    """The first heading of level 1."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (heading := re.search(r"^# (.+)$", cell.source, re.MULTILINE)):
            return heading[1].strip()
    raise ExportError(f"{name}: there is no title")


def links(name: str, names: list[str]) -> str:
    """To the index, and to the notebooks before and after."""
    at = names.index(name)
    neighbours = [("←", names[at - 1] if at > 0 else None), ("→", names[at + 1] if at + 1 < len(names) else None)]
    linked = [f'<a href="{other}.html">{arrow} {other}</a>' for arrow, other in neighbours if other]
    return " ".join(['<a href="README.md">Index (README.md)</a>', *linked])


def described(body: str) -> str:
    """Each figure with a name, where nbconvert says that it has no description."""
    count = itertools.count(1)
    missing = 'alt="No description has been provided for this image"'
    return re.sub(missing, lambda _: f'alt="Figure {next(count)}"', body)


def unbroken(body: str) -> str:
    """Numbers such as 1e-12 of printed lines in one piece: browsers break a line after the hyphen."""
    def marked(printed: re.Match[str]) -> str:
        return re.sub(r"\d[\d.]*e-\d+", r'<span class="number">\g<0></span>', printed[0])

    return re.sub(r'output_stdout output_text">\s*<pre>.*?</pre>', marked, body, flags=re.DOTALL)


def trimmed(body: str) -> str:
    """Without blanks at the ends of lines and without rows of empty lines, which say nothing."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in body.splitlines())).strip()
