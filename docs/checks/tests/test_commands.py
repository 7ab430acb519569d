"""Planted faults of commands, of the synopsis and of snippets go red."""

import json
import os
import unittest.mock
from pathlib import Path

from checks import deviations
from checks.commands import TABLE, command_faults, without_comment
from checks.repository import Repository
from checks.snippets import snippet_faults
from checks.synopsis import subcommands, synopsis_faults
from checks.tests.planting import Planting

HELP = {
    "--help": "SUBCOMMANDS:\n  check                   Check.\n                          More of it.\n"
    "  golden (default)        Look.\n",
    "check --help": "OPTIONS:\n  --all <n>  All.\n",
    "golden --help": "SUBCOMMANDS:\n  lint                    Lint.\n",
    "golden lint --help": "OPTIONS:\n  --golden <directory>\n",
}


class Small(Planting):
    """A repository of one page and one table, with a command that does nothing."""

    def setUp(self) -> None:
        self.small = Path(self.folder.name) / f"small-{self._testMethodName}"
        (self.small / "docs").mkdir(parents=True)
        (self.small / "file").write_text("text")

    def of(self, page: str, **table: object) -> list[str]:
        (self.small / "README.md").write_text(page)
        (self.small / TABLE).write_text(json.dumps(table))
        return list(command_faults(Repository(self.small, "/usr/bin/true")))

    def test_commands_share_their_folder_and_variables(self) -> None:
        page = "```sh\nexport A=1; mkdir b && cd b   # a comment\necho $A \\\n  > c\n```\ntext\n"
        page += "```console\n$ test $(cat c) = 1\nanswer\n```\n"
        self.assertEqual(self.of(page), [])

    def test_a_failing_command(self) -> None:
        self.assertIn("README.md:2: false: exits with 1", self.of("```sh\nfalse\n```\n")[0])
        self.assertIn("exits with 127", self.of("```sh\nno-such-command-anywhere\n```\n")[0])

    def test_a_command_that_changes_the_repository(self) -> None:
        self.assertEqual(self.of("```sh\necho more >> file\n```\n"), ["README.md: its commands change file"])
        self.assertEqual((self.small / "file").read_text(), "text")

    def test_exemptions(self) -> None:
        entry = {"page": "README.md", "command": "false", "reason": "it fails"}
        self.assertEqual(self.of("```sh\nfalse # x\ntrue\n```\n", exempt=[entry]), [])
        self.assertIn("the exemption is stale", self.of("```sh\ntrue\n```\n", exempt=[entry])[0])
        lazy = {**entry, "reason": "no"}
        self.assertIn("no reason is given", self.of("```sh\nfalse\ntrue\n```\n", exempt=[lazy])[0])
        self.assertIn("no page has a command", self.of("nothing")[0])

    def test_a_command_that_has_to_fail(self) -> None:
        entry = {"page": "README.md", "command": "(exit 1)"}
        self.assertEqual(self.of("```sh\n(exit 1)\ntrue\n```\n", fails=[entry]), [])
        other = {"page": "README.md", "command": "true"}
        self.assertIn("true: exits with 0", self.of("```sh\ntrue\n```\n", fails=[other])[0])
        self.assertIn("has no command '(exit 1)' that fails", self.of("```sh\ntrue\n```\n", fails=[entry])[0])

    def test_stand_ins_and_preparations(self) -> None:
        stand = {"page": "README.md", "for": "DIR", "use": "made"}
        before = {"README.md": ["mkdir made"]}
        self.assertEqual(self.of("```sh\ntest -d DIR\n```\n", **{"stand-ins": [stand], "before": before}), [])
        self.assertIn("the stand-in is stale", self.of("```sh\ntrue\n```\n", **{"stand-ins": [stand]})[0])
        self.assertIn(
            "before README.md: false: exits", self.of("```sh\ntrue\n```\n", before={"README.md": ["false"]})[0]
        )
        self.assertIn("something is prepared for it", self.of("```sh\ntrue\n```\n", before={"other.md": ["true"]})[-1])

    def test_comments(self) -> None:
        self.assertEqual(without_comment("a 'b # c' d#e # f"), "a 'b # c' d#e")

    def test_the_synopsis(self) -> None:
        self.assertEqual(subcommands(HELP["--help"]), ["check", "golden"])
        page = (
            "## The command\n\n```\nv4-oracle check [--all N]   all\nv4-oracle golden lint [--golden DIR]   lint\n```\n"
        )
        self.assertEqual(self.synopsis(page), [])
        self.assertIn("has no --every", self.synopsis(page.replace("--all", "--every"))[0])
        self.assertIn("lacks v4-oracle golden lint", self.synopsis(page.replace("golden lint", "check"))[-1])
        self.assertIn("is no command", self.synopsis(page.replace("check", "chick"))[0])
        self.assertIn("no listing", self.synopsis("nothing")[0])

    def test_commands_in_code_spans(self) -> None:
        page = "## The command\n\n```\nv4-oracle check\nv4-oracle golden lint\n```\n"
        named = "`v4-oracle check --all 1`, `v4-oracle golden`, `make all`, `v4-oracle check 'x --y'`\n"
        self.assertEqual(self.synopsis(page + named), [])
        self.assertIn(
            "README.md:7: v4-oracle check has no --every", self.synopsis(page + "`v4-oracle check --every`")[0]
        )
        self.assertIn("is no command", self.synopsis(page + "`v4-oracle golden lend`")[0])
        self.assertIn("the Makefile has no every", self.synopsis(page + "`make all every`")[0])

    def synopsis(self, page: str) -> list[str]:
        (self.small / "README.md").write_text(page)
        (self.small / "Makefile").write_text("all: ## everything\n")
        repository = Repository(self.small)
        repository.ask = lambda *arguments: HELP[" ".join(arguments)]  # type: ignore[method-assign]
        return list(synopsis_faults(repository))


class Measured(Planting):
    def test_a_stored_number_that_is_not_measured(self) -> None:
        page = (self.root / deviations.PAGE).read_text(encoding="utf-8")
        rows = deviations.MARK.search(page)[0].splitlines()[4:-2]
        stored = {(row.split("`")[-4], row.split("`")[-2]): row.split(" | ")[-1].rstrip(" |") for row in rows}

        def effect(oracle: str, golden: str, bug: str, case: str) -> tuple[float, float, bool]:
            change = stored[bug, case]
            scale = {deviations.ODD: 5.4, deviations.RELEASED: 5.9, deviations.SIMULATED: 6.5}[case]
            return (0, scale, False) if change == "none" else (float(change), scale, True)

        with unittest.mock.patch.object(deviations, "effect", effect):
            check = deviations.deviation_faults
            self.assertEqual(self.faults(check), set())
            row = next(row for row in rows if "`mhc-comb-transposed`" in row)
            self.sees(check, deviations.PAGE, row, row.replace(" 1.4 |", " 1.9 |"), "measured now")
            self.sees(check, deviations.PAGE, row + "\n", "", "measured rows are stored")
            self.sees(check, deviations.PAGE, row, row.replace("comb as B", "comb as A"), "measured now")
            self.sees(check, deviations.PAGE, "<!-- measured -->", "", "the measured table is missing")


class Snippets(Planting):
    def test_faults(self) -> None:
        for path, old, new, fault in (
            ("README.md", "guard request.operation ==", "guard request.operations ==", "has no line"),
            ("README.md", "GoldenLibrary.bundled()", "GoldenLibrary.packed()", "does not use packed"),
            ("docs/comparing.md", '"rules": [', '"rules" [', "docs/comparing.md"),
            ("golden/python/README.md", "serve(MyEngine())", "serve(MyEngine()", "was never closed"),
            (
                "golden/python/README.md",
                "import Engine, Unsupported, serve",
                "import Engine, Unsupported, serv",
                "v4oracle has no serv",
            ),
            ("README.md", "", "\n```python\nprint(1)\n```\n", "neither run nor exempt"),
            ("README.md", "", "\n```sh\ntrue\n", "is never closed"),
            (TABLE, '"with": "class MyEngine"', '"with": "class YourEngine"', "has no block of Python"),
        ):
            with self.subTest(new):
                self.sees(snippet_faults, path, old, new, fault)


if os.environ.get("V4_ORACLE"):

    class WithTheCommand(Planting):
        def test_the_copy_of_the_registry_is_that_of_the_command(self) -> None:
            self.assertEqual(self.repository().taps, Repository(self.root).taps)
