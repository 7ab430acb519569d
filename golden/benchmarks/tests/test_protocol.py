"""Answers of the process are not believed unseen: each fault has a sentence."""

import sys
import time
import unittest

from support import FAKE, LIMITS, InFolder

from protocol import Oracle, OracleError, Refusal, parse_ready

COMMAND = [sys.executable, str(FAKE)]


class TestOracle(InFolder):
    def refused(self, fault: str, sentence: str, kind: type[OracleError] = OracleError) -> None:
        self.misbehave(fault)
        with self.assertRaises(kind) as caught:
            with Oracle(COMMAND, 2, ready_seconds=20, answer_seconds=0.5) as oracle:
                oracle.measure("router", 512, 1)
        self.assertIn(sentence, str(caught.exception))

    def test_measures(self) -> None:
        with Oracle(COMMAND, 2) as oracle:
            self.assertEqual(oracle.ready.sizes["router"], (1, 128, 512))
            self.assertEqual(oracle.ready.positions, (250_000, 500_000, 1_000_000))
            self.assertEqual(oracle.limits(), LIMITS)
            answer = oracle.measure("router", 512, 3)
            self.assertEqual(answer.seconds, [0.001] * 3)
            self.assertEqual((answer.flops, answer.bytes, answer.bound), (1e8, 1e6, "compute"))
            self.assertEqual(oracle.measure("csa-decode", 1, 1, 500_000).seconds, [0.5])

    def test_ends_with_its_input(self) -> None:
        with Oracle(COMMAND, 2) as oracle:
            process = oracle._process
        self.assertEqual(process.returncode, 0)

    def test_one_that_stays_is_ended(self) -> None:
        self.misbehave("stays")
        oracle = Oracle(COMMAND, 2)
        start = time.monotonic()
        oracle.close()
        self.assertLess(time.monotonic() - start, 20)
        self.assertNotEqual(oracle._process.returncode, 0)

    def test_dead_at_once(self) -> None:
        self.refused("dies", "v4-oracle has ended: out of luck")

    def test_no_json(self) -> None:
        self.refused("no-json", "not JSON: 'hello'")

    def test_other_threads(self) -> None:
        self.refused("threads", "runs on 3 threads, not on 2")

    def test_dead_later(self) -> None:
        self.refused("leaves", "v4-oracle has ended")

    def test_silent(self) -> None:
        self.refused("silent", "silent for 0.5 s")

    def test_refusal(self) -> None:
        self.refused("refuses", "cannot measure router: no such case", Refusal)

    def test_wrong_answers(self) -> None:
        faults = {"nan": "nan for seconds", "short": "[] for 1 repeats", "other": "answers sinkhorn",
                  "bound": "bound by 'luck'", "zero": "0.0 for seconds", "flops": "None for flops"}
        for fault, sentence in faults.items():
            with self.subTest(fault):
                self.refused(fault, sentence)

    def test_not_there(self) -> None:
        with self.assertRaises(OracleError) as caught:
            Oracle([str(self.folder / "none")], 2)
        self.assertIn("cannot be started", str(caught.exception))


class TestReady(unittest.TestCase):
    def test_faults(self) -> None:
        whole = {"ready": True, "version": "1", "instructionSet": "x", "threads": 2, "cases": []}
        cases = [{"id": "router", "tokens": [1]}]
        self.assertEqual(parse_ready(whole | {"cases": cases}, 2).sizes, {"router": (1,)})
        faults = {"offers no case": {}, "is not ready": {"ready": False}, "lacks": {"cases": [{"id": "router"}]}}
        for sentence, change in faults.items():
            with self.subTest(sentence), self.assertRaisesRegex(OracleError, sentence):
                parse_ready(whole | change, 2)


if __name__ == "__main__":
    unittest.main()
