"""Building and checking exports, in a folder of its own with one small source."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

from build import build, check
from exporter.execute import ExportError

SOURCE = """\
# %% [markdown]
# # Is one and one two?
#
# Some *prose*.

# %%
print(1 + 1)
"""
README = "| [a](01-sum.ipynb) | [b](01-sum.html) |\n"
NAMES = ["01-sum.html", "01-sum.ipynb"]


class InFolder(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve() / "notebooks-export"
        (self.folder / "sources").mkdir(parents=True)
        (self.folder / "README.md").write_text(README, encoding="utf-8")
        self.write(SOURCE)

    def write(self, source: str) -> None:
        (self.folder / "sources" / "01-sum.py").write_text(source, encoding="utf-8")

    def exports(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.folder.glob("0*"))}

    def faults(self) -> str:
        """What a check says that is red; empty where it is green."""
        with contextlib.redirect_stdout(io.StringIO()) as output:
            status = check(self.folder)
        return output.getvalue() if status else ""


class Check(InFolder):
    def setUp(self) -> None:
        super().setUp()
        build(self.folder, self.folder)

    def test_what_was_built_is_what_the_source_gives(self) -> None:
        self.assertEqual(sorted(self.exports()), NAMES)
        self.assertEqual(self.faults(), "")

    def test_a_page_breaks_no_number_that_is_printed(self) -> None:
        self.write(SOURCE.replace("1 + 1", "2e-12"))
        build(self.folder, self.folder)
        self.assertIn(b'<pre><span class="number">2e-12</span>', self.exports()["01-sum.html"])

    def test_one_changed_byte_is_seen(self) -> None:
        for name, content in self.exports().items():
            (self.folder / name).write_bytes(content.replace(b"prose", b"prosa"))
        faults = self.faults()
        for name in NAMES:
            self.assertIn(f"{name} is not what its source gives", faults)
        self.assertRegex(faults, r"(?m)^-.*prosa.*\n\+.*prose")

    def test_a_missing_export_is_seen(self) -> None:
        (self.folder / "01-sum.html").unlink()
        self.assertEqual(self.faults(), "01-sum.html is missing\n")

    def test_an_extra_export_is_seen(self) -> None:
        (self.folder / "02-old.ipynb").write_text("{}", encoding="utf-8")
        self.assertEqual(self.faults(), "02-old.ipynb has no source\n")

    def test_an_index_that_lists_something_else_is_seen(self) -> None:
        (self.folder / "README.md").write_text("[a](01-sum.ipynb) [a](01-sum.ipynb) [c](02-old.html)", encoding="utf-8")
        self.assertEqual(self.faults().splitlines(), [
            "README.md does not list 01-sum.html", "README.md lists 02-old.html, which has no source",
            "README.md lists 01-sum.ipynb twice"])

    def test_another_source_is_seen(self) -> None:
        self.write(SOURCE.replace("1 + 1", "1 + 2"))
        self.assertIn("is not what its source gives", self.faults())


class Build(InFolder):
    def test_what_the_machine_adds_is_left_out(self) -> None:
        build(self.folder, self.folder)
        notebook = json.loads(self.exports()["01-sum.ipynb"])
        self.assertEqual([cell["id"] for cell in notebook["cells"]], ["cell-01", "cell-02"])
        self.assertEqual([cell["metadata"] for cell in notebook["cells"]], [{}, {}])
        self.assertEqual(sorted(notebook["metadata"]), ["kernelspec", "language_info"])
        self.assertNotIn("version", notebook["metadata"]["language_info"])

    def test_a_page_needs_no_network(self) -> None:
        build(self.folder, self.folder)
        page = self.exports()["01-sum.html"].decode()
        self.assertIn("<title>Is one and one two?</title>", page)
        self.assertNotRegex(page, r"<script|<link|@import|(src|href)=\"(https?:)?//")

    def fails(self, sentence: str, source: str) -> None:
        """The build fails with a sentence, and what was exported before is still there."""
        (self.folder / "01-sum.ipynb").write_text("old", encoding="utf-8")
        self.write(source)
        with self.assertRaisesRegex(ExportError, sentence):
            build(self.folder, self.folder)
        self.assertEqual(self.exports(), {"01-sum.ipynb": b"old"})

    def test_a_cell_that_raises_fails(self) -> None:
        self.fails("01-sum.py: (.|\n)*ZeroDivisionError", SOURCE + "\n# %%\n1 / 0\n")

    def test_a_cell_that_warns_fails(self) -> None:
        self.fails("a warning", SOURCE + '\n# %%\nimport warnings\nwarnings.warn("old")\n')

    def test_where_the_repository_is_must_not_be_shown(self) -> None:
        self.fails("where this machine", SOURCE + "\n# %%\nimport os\nos.getcwd()\n")

    def test_a_source_without_a_title_fails(self) -> None:
        self.fails("there is no title", SOURCE.replace("# # Is", "# Is"))

    def test_a_source_without_code_fails(self) -> None:
        self.fails("no cell of code", SOURCE.split("# %%\n")[0])

    def test_no_source_fails(self) -> None:
        self.assertRaisesRegex(ExportError, "no source 09", build, self.folder, self.folder, "09")
        (self.folder / "sources" / "01-sum.py").unlink()
        self.assertRaisesRegex(ExportError, "no source", check, self.folder)


if __name__ == "__main__":
    unittest.main()
