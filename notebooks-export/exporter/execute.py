"""Executes a source in a fresh kernel, and keeps of it what is the same on every machine."""

import os
import re
import tempfile
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from traitlets.config import Config

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "pygments_lexer": "ipython3",
}
# Magics are off: they would take a heading that ends with a question mark for a call for help.
PERCENT = {"extension": ".py", "format_name": "percent", "comment_magics": False}
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


class ExportError(Exception):
    """One sentence: what cannot be exported, and why."""


def read_source(source: Path) -> nbformat.NotebookNode:
    """The cells of a percent-format source."""
    return jupytext.read(source, fmt=PERCENT)


def executed(source: Path, folder: Path, root: Path) -> nbformat.NotebookNode:
    """The notebook of a percent-format source, with its outputs.

    - folder: where the package `study` is
    - root: the repository root, in which the kernel runs

    Raises ExportError where a cell raises, warns, or shows where this machine keeps the repository.
    """
    notebook = read_source(source)
    if not any(cell.cell_type == "code" for cell in notebook.cells):
        raise ExportError(f"{source.name}: there is no cell of code")
    with tempfile.TemporaryDirectory() as private:
        set_environment(folder, private)
        # Sockets in a folder of this build: no other user of the machine can listen, no other build is in the way.
        sockets = {"transport": "ipc", "ip": f"{private}/kernel"}
        client = NotebookClient(notebook, timeout=900, kernel_name="python3",
                                coalesce_streams=True, resources={"metadata": {"path": str(root)}},
                                config=Config({"KernelManager": sockets}))
        try:
            client.execute()
        except Exception as error:
            raise ExportError(f"{source.name}: {COLOUR.sub('', str(error))}") from error
    exported = plain(notebook)
    refuse(exported, source.name, root)
    return exported


def set_environment(folder: Path, private: str) -> None:
    """What the kernel gets: the package `study`, one thread for sums, and no settings of this user."""
    os.environ.update({
        "IPYTHONDIR": private,
        "JUPYTER_CONFIG_DIR": private,
        "JUPYTER_PREFER_ENV_PATH": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(folder),
        "PYTHONWARNINGS": "default",
    })


def plain(executed: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The same cells and outputs with ids from their order, and without what the machine adds."""
    cells = []
    for position, cell in enumerate(executed.cells, start=1):
        kept = {"cell_type": cell.cell_type, "id": f"cell-{position:02}", "metadata": {}, "source": cell.source}
        if cell.cell_type == "code":
            outputs = [plain_output(output) for output in cell.outputs]
            kept |= {"execution_count": cell.execution_count, "outputs": outputs}
        cells.append(kept)
    metadata = {"kernelspec": KERNEL, "language_info": LANGUAGE}
    notebook = nbformat.from_dict({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})
    nbformat.validate(notebook)
    return notebook


def plain_output(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Of what a cell shows as a picture or as rich text, the fallback `<Figure size …>` goes."""
    data = output.get("data", {})
    if len(data) > 1:
        data.pop("text/plain", None)
    if "metadata" in output:
        output["metadata"] = {}
    return output


def refuse(notebook: nbformat.NotebookNode, name: str, root: Path) -> None:
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise ExportError(f"{name}, {cell.id}: a warning: {output['text'].strip()}")
            if str(root) in str(output):
                raise ExportError(f"{name}, {cell.id}: shows where this machine keeps the repository")
