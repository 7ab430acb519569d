"""The command v4-oracle: what it prints, and what its exit status means."""

import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from study.command import executable, oracle, oracle_json


class Command(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        script = Path(folder.name) / "v4-oracle"
        script.write_text('#!/bin/sh\necho "[\\"$1\\"]"\necho bad input >&2\nexit "$2"\n', encoding="utf-8")
        script.chmod(0o755)
        self.enterContext(mock.patch.dict(os.environ, V4_ORACLE=str(script)))
        executable.cache_clear()
        self.addCleanup(executable.cache_clear)

    def test_what_it_prints(self) -> None:
        self.assertEqual(oracle("cost", "0"), '["cost"]\n')
        self.assertEqual(oracle_json("cost", "0"), ["cost"])

    def test_another_status_fails(self) -> None:
        self.assertRaisesRegex(RuntimeError, "ended with 2, not 0: bad input", oracle, "cost", "2")
        self.assertRaisesRegex(RuntimeError, "ended with 0, not 1", oracle, "cost", "0", status=1)

    def test_a_status_that_is_expected_passes(self) -> None:
        self.assertEqual(oracle("explain", "1", status=1), '["explain"]\n')


if __name__ == "__main__":
    unittest.main()
