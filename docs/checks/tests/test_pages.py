"""Planted faults of links, equations, notebooks, known bugs, sizes and pictures go red."""

import json

from checks.counts import count_faults
from checks.equation_table import equation_faults, written
from checks.known_bugs import bug_faults, registry
from checks.links import link_faults
from checks.notebooks import notebook_faults
from checks.pages import cells_of, notebook_anchor
from checks.presets import preset_faults
from checks.swift_sources import equations_in
from checks.tests.planting import Planting
from checks.versions import version_faults
from drawing.files import picture_faults
from drawing.layered import Node, layered


def notebook(*cells: str) -> str:
    return json.dumps({"cells": [{"cell_type": "markdown", "source": [cell]} for cell in cells]})


class Links(Planting):
    def test_the_pages_as_they_are(self) -> None:
        known = {"notebooks-export/", "equations.md"}  # exports are not in the copy
        self.assertEqual([fault for fault in self.faults(link_faults) if not any(word in fault for word in known)], [])

    def test_faults(self) -> None:
        for text, fault in {
            "[a](nowhere.md)": "nowhere.md leads nowhere",
            "[a](CONTRIBUTING.md#no-such-heading)": "no heading #no-such-heading",
            "[a](#neither)": "no heading #neither",
            "[a](/etc/passwd)": "has to be relative",
            "[a](../outside.md)": "leads out of the repository",
            "[a]: nothing.md": "nothing.md leads nowhere",
            '<img src="gone.svg">': "gone.svg leads nowhere",
            "[a](file:///x)": "links are relative",
            "see /home/somebody/file": "path of one machine",
            "`Sources/Gone/File.swift`": "is named, but not there",
            "`tiny/rotary-embedding/no-such-case`": "there is no golden case",
        }.items():
            with self.subTest(text):
                self.sees(link_faults, "README.md", "", f"\n{text}\n", fault)

    def test_links_of_notebooks(self) -> None:
        text = notebook("# A [a](nowhere.md)")
        self.sees(link_faults, "notebooks-export/90-a.ipynb", "", text, "90-a.ipynb:1: nowhere.md leads nowhere")

    def test_links_in_code_are_none(self) -> None:
        with self.planted("README.md", "", "\n`[a](b.md)`\n\n```\n[a](c.md)\n```\n"):
            self.assertFalse([fault for fault in self.faults(link_faults) if "b.md" in fault or "c.md" in fault])


class Equations(Planting):
    page = "docs/equations.md"

    def test_orphans_of_the_page(self) -> None:
        row = "| 2.1-clamp | gate ≤ limit"
        for old, new, fault in (
            (row, "| 2.1-unheard | gate ≤ limit", "2.1-unheard is no equation of the manifest"),
            (row, "| 2.1-unheard | gate ≤ limit", "2.1-clamp, which"),
            ("| (8) | ", "| (7) | ", "(7) has two rows"),
            ("`ExpertSteps.clampedGate`", "`ExpertSteps.clampedGates`", "ExpertSteps has no clampedGates"),
            (
                "`MixtureOfExperts.sharedExpert`",
                "`MixtureOfExpert.sharedExpert`",
                "MixtureOfExpert has no sharedExpert",
            ),
            ("`HyperConnectionSite` |", "`HyperConnectionSites` |", "no type HyperConnectionSites"),
            ("`hadamard(_:)`", "`hadamart(_:)`", "no hadamart"),
            (
                "| `sinkhorn`, `equation-8`, `site` |",
                "| `sinkhorn`, `site` |",
                "cases of the operation equation-8 list (8)",
            ),
            (
                "| `expert`, `mixture` |",
                "| `expert`, `mixture`, `site` |",
                "no case of the operation site lists 2.1-clamp",
            ),
            ("`RoutingSteps.gateLogits`, `.affinity`", "`RoutingSteps.affinity`", "RoutingSteps.gateLogits makes"),
            ("`ModelSteps.routesByTable`", "`ModelSteps.pairedToken`", "ModelSteps.routesByTable"),
            ("`CompressorState.entries`", "`CompressorState.entrys`", "no CompressorState.entrys"),
            ("| z′ | `sinks`", "| z′ | `sinkses`", "no sinkses"),
        ):
            with self.subTest(new):
                self.sees(equation_faults, self.page, old, new, fault)

    def test_orphans_of_the_sources(self) -> None:
        path = "Sources/HyperConnections/HyperConnectionSteps+Mixing.swift"
        self.sees(equation_faults, path, "Eq. (7)", "Eq. (28)", "(28), which Sources/HyperConnections")
        self.sees(equation_faults, path, "Eq. (7)", "Eq. (6)", "HyperConnectionSteps.postGates")

    def test_orphans_of_the_taps(self) -> None:
        taps = "golden/python/v4oracle/taps.json"
        text = (self.root / taps).read_text(encoding="utf-8")
        entries = json.loads(text)
        entries[0]["equation"] = "2.9-unheard"
        self.sees(equation_faults, taps, text, json.dumps(entries), "2.9-unheard, which the tap embedding names")

    def test_orphans_of_the_manifest(self) -> None:
        path = "golden/manifest.json"
        text = (self.root / path).read_text(encoding="utf-8")
        manifest = json.loads(text)
        manifest["equations"].append({"id": "2.9-new", "section": "2.9", "title": "new"})
        self.sees(equation_faults, path, text, json.dumps(manifest), "2.9-new, which golden/manifest.json names")

    def test_the_column_of_notebooks(self) -> None:
        with self.planted("notebooks-export/91-a.ipynb", "", notebook("# One\n<!-- equations: (8) -->")):
            faults = self.faults(equation_faults)
            text = written(self.repository())
        self.assertIn("docs/equations.md: no section of a notebook studies (7)", faults)
        self.assertNotIn("docs/equations.md: no section of a notebook studies (8)", faults)
        self.assertTrue(any("column of notebooks" in fault for fault in faults))
        self.assertIn("| [91](../notebooks-export/91-a.ipynb#One) |", text)

    def test_marks_of_notebooks(self) -> None:
        for cell, fault in {
            "# One\n<!-- equations: (99) -->": "(99) under 'One' is no equation",
            "# One\n<!-- equations: -->": "names no equation",
            "<!-- equations: (8) -->": "under no heading",
        }.items():
            with self.subTest(cell):
                self.sees(notebook_faults, "notebooks-export/92-a.ipynb", "", notebook(cell), fault)

    def test_citations(self) -> None:
        self.assertEqual(equations_in(["Eqs. (9) to (11), f(3), 2.2-norm"]), ["eq-9", "eq-11", "eq-10", "2.2-norm"])
        self.assertEqual(equations_in(["```", "H = (1)", "```"]), [])


class Bugs(Planting):
    def test_faults(self) -> None:
        for path, old, new, fault in (
            (
                "bugs.json",
                '"mhc-post-eps"',
                '"mhc-post-epsilon"',
                "no case kills mhc-post-epsilon",
            ),
            (
                "bugs.json",
                '"mhc-post-eps"',
                '"mhc-post-epsilon"',
                "mhc-post-eps is killed, and no",
            ),
            (
                "bugs.json",
                "no ε in the denominators",
                "none",
                "docs/known-bugs.md is not what",
            ),
            (
                "bugs.json",
                '"state-save-tail-only"',
                '"state-write-pad-4"',
                "state-write-pad-4 is there twice",
            ),
            ("docs/known-bugs.md", "to even", "to odd", "docs/known-bugs.md is not what"),
            ("docs/porting.md", "| to even |", "| to odd |", "a table of bugs is stale"),
            ("docs/porting.md", "<!-- bugs: fp4-nibble-order", "<!-- bugs: fp4-nibble-disorder", "is no known bug"),
        ):
            with self.subTest(new):
                self.sees(bug_faults, path, old, new, fault)

    def test_the_registry_is_read_whole(self) -> None:
        bugs = {bug.id: bug for bug in registry(self.repository())}
        self.assertEqual(bugs["mhc-pre-eps-missing"].wrong, "pre = σ(x)")
        self.assertEqual(bugs["mhc-pre-eps-missing"].right, "σ(x) + hc_eps")
        self.assertEqual(len(bugs["mhc-comb-transposed"].references), 3)
        self.assertEqual(bugs["captured-stride-vs-runtime-stride"].reason, "a matter of captured graphs")


class Pictures(Planting):
    def test_sizes(self) -> None:
        page = "docs/architecture.md"
        for old, new, fault in (
            ("| 4,096 | 7,168 |", "| 4,096 | 7,186 |", "d is 4096 in Flash and 7168 in Pro"),
            ("| `E` | routed", "| `Q` | routed", "lacks E"),
            ("| `E` | routed", "| `Q` | routed", "no preset says how long Q is"),
            ("| axis | what |", "| axes | what |", "the table of sizes is missing"),
        ):
            with self.subTest(new):
                self.sees(preset_faults, page, old, new, fault)

    def test_stale_pictures(self) -> None:
        self.assertEqual(self.faults(picture_faults), set())
        taps = "golden/python/v4oracle/taps.json"
        self.sees(picture_faults, taps, '"[T, V]"', '"[T, v]"', "is not what the tap registry makes of it")
        self.sees(picture_faults, "docs/architecture.svg", "</svg>", "</svg> ", "docs/architecture.svg is not")
        self.sees(picture_faults, "docs/architecture/old.svg", "", "<svg/>", "old.svg is no picture")

    def test_boxes_do_not_overlap_and_are_in_the_page(self) -> None:
        nodes = [Node(str(index), 60 + 40 * (index % 5), 40) for index in range(24)]
        drawing = layered(nodes, [(str(a), str(b)) for a in range(24) for b in (2 * a + 1, a + 5) if b < 24])
        for index, a in enumerate(nodes):
            self.assertTrue(0 <= a.x - a.width / 2 and a.x + a.width / 2 <= drawing.width)
            self.assertTrue(0 <= a.y and a.y + a.height <= drawing.height)
            for b in nodes[index + 1 :]:
                apart = abs(a.x - b.x) >= (a.width + b.width) / 2 or abs(a.y - b.y) >= 40
                self.assertTrue(apart, f"{a.name} overlaps {b.name}")

    def test_cycles_and_loose_edges_are_refused(self) -> None:
        nodes = [Node("a", 10, 10), Node("b", 10, 10)]
        for edges in ([("a", "b"), ("b", "a")], [("a", "c")]):
            with self.assertRaises(ValueError):
                layered(nodes, edges)


class Versions(Planting):
    def test_faults(self) -> None:
        self.assertEqual(self.faults(version_faults), set())
        for path, old, new, fault in (
            ("CITATION.cff", "version: 0", "version: 9", "the version is not one: CITATION.cff has 9"),
            ("golden/python/pyproject.toml", 'version = "', 'version = "9', "the version is not one"),
            ("golden/budgets.json", '"format_version": 1', '"format_version": 2', "the format version is not one"),
            ("docs/versions.md", "`Taps`", "`Tapes`", "Taps is public by"),
            ("docs/versions.md", "| `Taps`", "| `Taps`, `Blame`", "Blame is listed twice"),
            ("Package.swift", '"Blame", "Conformance",\n      ]', '"Conformance",\n      ]', "Blame is public by"),
        ):
            with self.subTest(new):
                self.sees(version_faults, path, old, new, fault)


class Counts(Planting):
    def test_faults(self) -> None:
        for old, new, fault in (
            (
                "harness                       float       3       3",
                "harness                       float       4       4",
                "harness has 3",
            ),
            ("Covered: 52 of", "Covered: 51 of", "covered are 52 equations"),
            (
                "mhc-comb-transposed                       13",
                "mhc-comb-transposed                       14",
                "killed by 13",
            ),
            (
                "∞  tiny/language-model/simulated-wide-8",
                "∞  tiny/language-model/decode-after-8",
                "kv-fp8-layout is not killed",
            ),
            ("| [Taps](Sources/Taps)", "| [Taps](Sources/Tensors)", "lacks Taps"),
        ):
            with self.subTest(new):
                self.sees(count_faults, "README.md", old, new, fault)


class Words(Planting):
    def test_small_things(self) -> None:
        self.assertEqual(cells_of(r"| a | b\|c | `d` |"), ["a", r"b\|c", "`d`"])
        self.assertEqual(notebook_anchor("What does `B` do?"), "What-does-B-do?")
