"""What the tests share: the folder under test, the fake process, a run that is made up."""

import os
import stat
import sys
import tempfile
import unittest
from pathlib import Path
from unittest.mock import patch

BENCHMARKS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(BENCHMARKS))
FAKE = Path(__file__).resolve().parent / "fake_oracle.py"

from measure import Row, tasks_of  # noqa: E402
from memory import Peak  # noqa: E402
from report import Run  # noqa: E402
from targets import cases  # noqa: E402

LIMITS = {"fmaPerSecondOne": 1e11, "fmaPerSecondAll": 2e11, "copyBytesPerSecondOne": 1e10,
          "copyBytesPerSecondAll": 2e10, "streamedCopyBytesPerSecondAll": 3e10}  # fmt: skip
CASES = {case.name: case for case in cases(tiles=False)}


class InFolder(unittest.TestCase):
    """A test with a temporary folder."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def misbehave(self, fault: str) -> None:
        """Has processes that start from now on misbehave."""
        patcher = patch.dict(os.environ, {"FAKE": fault})
        patcher.start()
        self.addCleanup(patcher.stop)

    def executable(self) -> str:
        """The fake process as one executable file."""
        path = self.folder / "v4-oracle"
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE}" "$@"\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)


class FixedSide:
    """The other side with times that are given."""

    def __init__(self, *times: float) -> None:
        self.times = list(times)
        self.runs = 0

    def warm_up(self) -> float:
        return self.seconds()

    def seconds(self) -> float:
        self.runs += 1
        return self.times[(self.runs - 1) % len(self.times)]


def row(name: str, size: int, ours: list[float], theirs: list[float], **fields) -> Row:
    """A row of a case at a size."""
    task = next(task for task in tasks_of(CASES[name], ()) if task.size == size)
    usual = {"flops": 1e9, "bytes": 1e8, "bound": "compute", "limits": [LIMITS] * len(ours)}
    return Row(task, ours, theirs, **(usual | fields))


def made_up() -> Run:
    """A run of two kernels, decoding at three positions, one peak of memory."""
    run = Run("a machine", {"v4-oracle": "1", "torch": "2"}, 2, 7)
    run.rows = [row("router", 512, [0.01, 0.012, 0.011], [0.02, 0.03, 0.022]),
                row("csa-core", 512, [0.009, 0.009, 0.0092], [0.02, 0.02, 0.02])]
    for task in tasks_of(CASES["csa-decode"], (250_000, 500_000, 1_000_000)):
        seconds = 0.001 + 1e-8 * (task.position or 0) / 4
        run.rows.append(Row(task, [seconds] * 3, [0.1] * 3, 1e9, 1e8, "memory", [LIMITS] * 3))
        run.in_turn[task.position or 0] = [seconds * 2, seconds, seconds / 2]
    run.peaks = [Peak("csa-layer", "whole CSA layer", 512, 1_000_000_000, 3_000_000_000, 400_000_000, 1_800_000_000)]
    return run
