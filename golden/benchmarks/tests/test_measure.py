"""Both sides in turn, medians, ratios, shares, targets."""

import sys
import unittest
from unittest.mock import patch

from support import CASES, FAKE, LIMITS, FixedSide, InFolder, row

import measure
from measure import Task, repeats_for, tasks_of
from protocol import Oracle, OracleError
from targets import DECODE_POSITION, FLOOR, cases


class TestMeasure(InFolder):
    def test_alternates(self) -> None:
        order: list[str] = []

        class Side(FixedSide):
            def seconds(self) -> float:
                order.append("theirs")
                return super().seconds()

        side = Side(5.0, 3.0, 1.0, 2.0)
        with Oracle([sys.executable, str(FAKE)], 2) as oracle:
            ask = oracle.measure
            with (patch.object(oracle, "measure", lambda *given: (order.append("ours"), ask(*given))[1]),
                  patch.object(measure, "PAUSE_SECONDS", 0.0), patch.object(measure, "QUICK_SECONDS", 0.0)):
                found = measure.measure(Task(CASES["router"], 512), oracle, lambda: side, 3)
        self.assertEqual(order, ["theirs", "ours"] * 4)
        self.assertEqual(found.theirs, [3.0, 1.0, 2.0])  # not the first, which warms up
        self.assertEqual(found.ours, [0.001] * 3)
        self.assertEqual(found.ratio, 2000.0)

    def test_the_last_run_of_a_turn_counts(self) -> None:
        side = FixedSide(0.03, 0.04, 0.02, 0.05, 0.03, 0.06, 0.01)
        asked: list[int] = []
        with Oracle([sys.executable, str(FAKE)], 2) as oracle:
            ask = oracle.measure
            with (patch.object(oracle, "measure", lambda *given: (asked.append(given[2]), ask(*given))[1]),
                  patch.object(measure, "PAUSE_SECONDS", 0.0)):
                found = measure.measure(Task(CASES["router"], 512), oracle, lambda: side, 3)
        self.assertEqual(found.theirs, [0.02, 0.03, 0.01])
        self.assertEqual(asked, [1, 20, 20, 20])  # each side fills its turn with runs of its own length
        self.assertEqual(len(found.ours), 3)

    def test_runs_of_a_turn(self) -> None:
        alone = [measure.runs_of_a_turn(seconds, seconds) for seconds in (1e-5, 0.01, 0.03, 0.09, 0.1, 3.0)]
        self.assertEqual(alone, [20, 5, 2, 2, 1, 1])
        beside_a_quick_one = [measure.runs_of_a_turn(seconds, 0.01) for seconds in (0.01, 0.1, 3.0)]
        self.assertEqual(beside_a_quick_one, [5, 2, 2])

    def test_limits_are_those_of_the_moment(self) -> None:
        with Oracle([sys.executable, str(FAKE)], 2) as oracle:
            answers = [LIMITS | {"fmaPerSecondAll": limit} for limit in (2e11, 1e11, 5e10)]
            given = list(answers)
            with (patch.object(oracle, "limits", lambda: answers.pop(0)), patch.object(measure, "PAUSE_SECONDS", 0.0)):
                found = measure.measure(Task(CASES["router"], 512), oracle, lambda: FixedSide(1.0), 3)
        self.assertEqual((answers, found.limits), ([], given))
        self.assertAlmostEqual(found.share(2), 1.0)  # 1e8 operations in a millisecond: 0.5, 1 and 2 of the limits
        self.assertEqual(found.limit("fmaPerSecondAll"), 1e11)

    def test_another_case_of_ours(self) -> None:
        with Oracle([sys.executable, str(FAKE)], 2) as oracle, patch.object(measure, "PAUSE_SECONDS", 0.0):
            found = measure.measure(Task(CASES["expert-gemm"], 512), oracle, lambda: FixedSide(1.0), 3)
        self.assertEqual(len(found.ours), 3)

    def test_repeats(self) -> None:
        self.assertEqual([repeats_for(seconds, 7) for seconds in (0.01, 1.0, 8.1)], [7, 7, 3])

    def test_row(self) -> None:
        found = row("csa-core", 512, [0.01, 0.03, 0.02], [0.1, 0.2, 0.05], flops=2e9)
        self.assertEqual((found.our_median, found.their_median, found.ratio), (0.02, 0.1, 5.0))
        self.assertAlmostEqual(found.share(2), 0.5)
        self.assertAlmostEqual(found.share(1), 1.0)
        self.assertIs(found.met(2), False)  # 5 times as fast, and 50 % instead of 55 %
        self.assertIs(found.met(1), True)
        slow = row("csa-core", 512, [0.01], [0.039], flops=2e9)
        self.assertIs(slow.met(2), False)
        self.assertIsNone(row("fp8-matmul-bf16", 512, [1.0], [1.0]).met(2))

    def test_visits(self) -> None:
        first, second = row("router", 512, [0.1, 0.2], [0.3, 0.4]), row("router", 512, [0.6], [0.7])
        both = first.extended(second)
        self.assertEqual((both.ours, both.theirs, len(both.limits)), ([0.1, 0.2, 0.6], [0.3, 0.4, 0.7], 3))
        self.assertEqual([found.is_short for found in (first, second, both)], [True, False, True])
        with self.assertRaisesRegex(OracleError, "counts the work of router at 512 differently"):
            first.extended(row("router", 512, [0.1], [0.1], flops=7.0))

    def test_share_of_the_copy(self) -> None:
        found = row("hyper-connection-site", 512, [0.01], [0.1], bytes=1e8, flops=1.0, bound="compute")
        self.assertAlmostEqual(found.share(2), 0.5)  # the target names the limit, not the answer


class TestTasks(unittest.TestCase):
    def test_positions(self) -> None:
        decode = CASES["csa-decode"]
        self.assertEqual([(t.position, t.asked) for t in tasks_of(decode, ())], [(DECODE_POSITION, False)])
        self.assertEqual([t.position for t in tasks_of(decode, (1000, DECODE_POSITION))], [1000, DECODE_POSITION])
        with self.assertRaises(OracleError):
            tasks_of(decode, (1000,))

    def test_positions_in_turn(self) -> None:
        tasks = tasks_of(CASES["csa-decode"], (250_000, DECODE_POSITION))
        with Oracle([sys.executable, str(FAKE)], 2) as oracle:
            asked: list[int | None] = []
            answers = oracle.measure
            oracle.measure = lambda *given: asked.append(given[3]) or answers(*given)  # type: ignore[method-assign]
            self.assertEqual(measure.in_turn(tasks, oracle, 3), {250_000: [0.25] * 3, 1_000_000: [1.0] * 3})
        self.assertEqual(asked, [250_000, 1_000_000] * 4)

    def test_targets(self) -> None:
        names = [case.name for case in cases(tiles=True)]
        self.assertEqual(len(names), len(set(names)))
        for case in cases(tiles=True):
            self.assertTrue(case.targets and case.work and case.title)
            self.assertTrue(all(target is FLOOR for size, target in case.targets.items() if size == 128))
        packed = {tiles: next(c for c in cases(tiles) if c.name == "fp4-matmul") for tiles in (True, False)}
        self.assertEqual([packed[tiles].targets[512].speed for tiles in (True, False)], [2.0, 0.9])


if __name__ == "__main__":
    unittest.main()
