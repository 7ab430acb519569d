"""The command: bad input, parts of a run, a whole page; the fake process on our side, given times on the other."""

import contextlib
import io
import json
import unittest
from pathlib import Path
from unittest.mock import patch

from support import FixedSide, InFolder, made_up

import bench_peers
import machine
import memory
from report import BEGIN, END


class TestCommand(InFolder):
    def setUp(self) -> None:
        super().setUp()
        self.page = self.folder / "performance.md"
        self.page.write_text(f"{BEGIN}\n{END}\n")
        for name, value in {"PAGE": self.page, "library_side": lambda threads: lambda *given: FixedSide(0.02),
                            "versions": lambda *given: {"v4-oracle": given[0]},
                            "their_peak": lambda *given: (3 * 10**9, 10**8, 10**9)}.items():
            patcher = patch.object(bench_peers, name, value)
            patcher.start()
            self.addCleanup(patcher.stop)

    def call(self, *arguments: str) -> tuple[int, str, str]:
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            status = bench_peers.main(list(arguments))
        return status, output.getvalue(), errors.getvalue()

    def refused(self, sentence: str, *arguments: str) -> None:
        status, output, errors = self.call(*arguments)
        self.assertEqual((status, output, errors.count("\n")), (2, "", 1), errors)
        self.assertIn(sentence, errors)

    def test_bad_input(self) -> None:
        oracle = ("--v4-oracle", self.executable())
        self.refused("required: --v4-oracle")
        self.refused("no executable file", "--v4-oracle", str(self.folder))
        self.refused("at least 3 are needed", *oracle, "--repeats", "2")
        self.refused("--threads is from 1 to", *oracle, "--threads", "0")
        self.refused("invalid int value: 'x'", *oracle, "--tokens", "x")
        self.refused("the folder of", *oracle, "--json", str(self.folder / "none" / "x.json"))
        self.refused("no case fits --filter and --tokens; the cases are sinkhorn,", *oracle, "--filter", "nothing")
        self.refused("no case fits", *oracle, "--tokens", "77")
        self.page.write_text("no markers")
        self.refused("must have <!-- bench-peers begin -->", *oracle)
        self.misbehave("dies")
        self.refused("v4-oracle has ended: out of luck", *oracle, "--no-report")

    def test_a_part_only_prints(self) -> None:
        before, figures = self.page.read_text(), self.folder / "figures.json"
        status, output, errors = self.call("--v4-oracle", self.executable(), "--filter", "csa-layer", "--tokens", "512",
                                           "--threads", "1", "--json", str(figures))
        self.assertEqual(status, 0, errors)
        self.assertIn("| whole CSA layer | 512 | transformers |", output)
        self.assertIn("Most memory", output)
        self.assertEqual(self.page.read_text(), before)
        self.assertEqual([row["case"] for row in json.loads(figures.read_text())["rows"]], ["csa-layer"])

    def test_short_rows_are_visited_again(self) -> None:
        figures, slow = self.folder / "figures.json", {1: 0.02, 128: 0.7, 512: 0.02}
        with patch.object(bench_peers, "library_side",
                          lambda threads: lambda case, size, position: FixedSide(slow[size])):
            status, _, errors = self.call("--v4-oracle", self.executable(), "--filter", "router", "--tokens", "1", "128", "512",
                                          "--threads", "1", "--repeats", "3", "--json", str(figures))
        self.assertEqual(status, 0, errors)
        rows = json.loads(figures.read_text())["rows"]
        self.assertEqual([(row["tokens"], len(row["ours"]), len(row["theirs"]), len(row["limits"])) for row in rows],
                         [(1, 9, 9, 9), (128, 3, 3, 3), (512, 9, 9, 9)])
        self.assertEqual([line.split(" against")[0] for line in errors.splitlines() if line.startswith("[")],
                         ["[visit 1, 1/3] router at 1", "[visit 1, 2/3] router at 128", "[visit 1, 3/3] router at 512",
                          "[visit 2, 1/2] router at 1", "[visit 2, 2/2] router at 512",
                          "[visit 3, 1/2] router at 1", "[visit 3, 2/2] router at 512"])

    def test_what_is_missing_fails_and_writes_no_page(self) -> None:
        before = self.page.read_text()
        status, output, errors = self.call("--v4-oracle", self.executable(), "--threads", "1", "--repeats", "3")
        self.assertEqual(status, 1)
        self.assertIn("not measured: indexer at 512: v4-oracle does not offer it", errors)
        self.assertIn("Not measured: indexer at 512", output)
        self.assertIn("| experts against sgemm | 512 |", output)
        self.assertEqual(self.page.read_text(), before)
        self.assertFalse((self.folder / "performance.json").exists())

    def test_refusals_and_failures_are_told(self) -> None:
        self.misbehave("refuses")
        status, _, errors = self.call("--v4-oracle", self.executable(), "--threads", "1", "--filter", "router",
                                      "--tokens", "512")
        self.assertEqual(status, 1)
        self.assertIn("router at 512: v4-oracle cannot measure router: no such case", errors)

    def test_a_whole_run_writes_the_page(self) -> None:
        with patch.object(bench_peers, "bench", lambda arguments: made_up()):
            status, _, errors = self.call("--v4-oracle", self.executable(), "--threads", "1")
        self.assertEqual(status, 0, errors)
        self.assertIn("performance.svg", self.page.read_text())
        self.assertTrue((self.folder / "performance.svg").exists() and (self.folder / "performance.json").exists())


class TestMachine(InFolder):
    def test_description(self) -> None:
        cpu = self.folder / "cpuinfo"
        cpu.write_text("model name\t: A Processor\nflags\t\t: sse avx2 avx512f amx_bf16\n\nmodel name\t: B\n")
        with patch.object(machine, "CPU", cpu):
            self.assertTrue(machine.describe().startswith("A Processor, "))
            self.assertTrue(machine.describe().endswith("; avx2, avx512f, amx_bf16"))
            self.assertTrue(machine.has_tiles())
        with patch.object(machine, "CPU", self.folder / "none"), patch.object(machine, "MEMORY", cpu):
            self.assertFalse(machine.has_tiles())
            self.assertIn("no instruction set of interest", machine.describe())

    @unittest.skipUnless(Path("/proc/self/status").exists(), "needs /proc")
    def test_peaks(self) -> None:
        before = memory.high_water()
        block = bytearray(b"x" * (before + 50_000_000))
        self.assertGreater(memory.high_water(), len(block))
        self.assertGreater(memory.our_peak([self.executable()], "csa-layer", 512, 1), 1_000_000)
        with self.assertRaises(memory.PeakError):
            memory.high_water(2**30)
        with self.assertRaisesRegex(memory.PeakError, "was not measured"):
            memory.their_peak("no-such-case", 1, 1)


if __name__ == "__main__":
    unittest.main()
