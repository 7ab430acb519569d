"""The page between its markers, the picture, the figures."""

import json
import unittest
import xml.etree.ElementTree as ElementTree

from support import InFolder, made_up

from picture import Bar, axis, picture
from report import BEGIN, END, ReportError, as_json, bars, line_through, markdown, parts_of, write_page


class TestPage(InFolder):
    def setUp(self) -> None:
        super().setUp()
        self.page = self.folder / "performance.md"

    def test_only_between_the_markers(self) -> None:
        self.page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
        write_page(made_up(), self.page)
        text = self.page.read_text(encoding="utf-8")
        self.assertTrue(text.startswith(f"before\n{BEGIN}\n") and text.endswith(f"{END}\nafter\n"))
        self.assertNotIn("old", text)
        self.assertIn("(performance.svg)", text)
        write_page(made_up(), self.page)
        self.assertEqual(self.page.read_text(encoding="utf-8"), text)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()),
                         ["performance.json", "performance.md", "performance.svg"])

    def test_markers(self) -> None:
        for text in ("", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}"):
            self.page.write_text(text)
            with self.subTest(text), self.assertRaises(ReportError):
                parts_of(self.page)
        with self.assertRaises(ReportError):
            parts_of(self.folder / "none.md")

    def test_tables(self) -> None:
        run = made_up()
        text = markdown(run)
        self.assertIn("| router, 256 experts, top-6 | 512 | transformers | 11.0 ms (10.0 ms – 12.0 ms) | "
                      "22.0 ms (20.0 ms – 30.0 ms) | 2.00× | ≥ 1.2× |", text)
        self.assertIn("| 2.22× | ≥ 4× | 56 % of FMA | ≥ 55 % | **not met** | 3 |", text)
        self.assertIn("| whole CSA layer | 512 | 1.00 GB | 3.00 GB | 0.40 GB | 1.80 GB | 33 % | ≤ 50 % | met |", text)
        self.assertIn("| 1,000,000 | 250,000 | 3.50 ms | 100 ms | 28.6× | 3.50 ms |", text)
        self.assertEqual(text.count("| one token, whole CSA layer | 1 | transformers |"), 1)
        self.assertIn("3 times. These medians are a line within 0 %: 1.00 ms and 10.0 ms for each million", text)
        run.in_turn = {}
        self.assertIn("| 28.6× | – |", markdown(run))
        self.assertNotIn("a line within", markdown(run))

    def test_missing_is_said(self) -> None:
        run = made_up()
        run.missing.append("indexer at 512: v4-oracle does not offer it")
        self.assertIn("Not measured: indexer at 512: v4-oracle does not offer it.", markdown(run))

    def test_figures(self) -> None:
        value = json.loads(as_json(made_up()))
        self.assertEqual(value["rows"][0]["ours"], [0.01, 0.012, 0.011])
        self.assertEqual([row["met"] for row in value["rows"]], [True, False, True, True, True])
        self.assertEqual(value["inTurn"]["1000000"], [0.007, 0.0035, 0.00175])
        run = made_up()
        run.rows[0].flops = float("nan")
        with self.assertRaises(ValueError):
            as_json(run)

    def test_line(self) -> None:
        start, slope, error = line_through([1.0, 2.0, 3.0], [3.0, 5.0, 7.0])
        self.assertAlmostEqual(start, 1.0)
        self.assertAlmostEqual(slope, 2.0)
        self.assertAlmostEqual(error, 0.0)
        self.assertGreater(line_through([1.0, 2.0, 3.0], [1.0, 4.0, 9.0])[2], 0.1)


class TestPicture(unittest.TestCase):
    def test_bars(self) -> None:
        drawn = bars(made_up())
        self.assertEqual([(bar.label, bar.met) for bar in drawn],
                         [("router, 256 experts, top-6, 512", True), ("core attention, CSA, 512", False),
                          ("one token, whole CSA layer", True)])
        tree = ElementTree.fromstring(picture(drawn, "a < b"))
        marks = [line for line in tree.iter("{http://www.w3.org/2000/svg}line") if line.get("class") == "mark"]
        self.assertEqual(len(marks), len(drawn) + 1)  # one in the legend
        self.assertIn("prefers-color-scheme: dark", picture(drawn, "title"))

    def test_axis(self) -> None:
        self.assertEqual(axis([Bar("a", 30.0, 1.2, True)]), (1, 50))
        self.assertEqual(axis([Bar("a", 0.3, 2.0, False)]), (0.2, 2))
        self.assertEqual(axis([]), (1, 2))
        self.assertEqual(axis([Bar("a", 0.001, 5000.0, False)]), (0.1, 1000))


if __name__ == "__main__":
    unittest.main()
