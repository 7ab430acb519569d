"""The registry of taps, and what a trace takes and refuses."""

import json
import subprocess
import sys
import unittest

import h5py
import numpy as np
from support import PACKAGE, InFolder, oracle

from v4oracle import TraceError, TraceWriter, find_tap


class Registry(unittest.TestCase):
    def test_names_and_axes(self):
        self.assertEqual(find_tap("layers.12.attn.queries").axes, ("T", "h", "c"))
        self.assertEqual(find_tap("logits").axes, ("T", "V"))
        self.assertTrue(find_tap("mtp.0.ffn.gate.indices").is_integer)
        for name in ("layers.x.attn.queries", "layers.1.attn.queries.", "Logits", "layers.{l}.attn.queries", ""):
            with self.subTest(name), self.assertRaises(KeyError):
                find_tap(name)

    def test_the_registry_is_that_of_the_command(self):
        command = oracle()
        if command is None:
            print("skipped: comparison of taps.json, v4-oracle is not built", file=sys.stderr)
            self.skipTest("v4-oracle is not built")
        printed = subprocess.run([command, "taps", "--json", "-"], check=True, capture_output=True).stdout
        stored = (PACKAGE / "v4oracle" / "taps.json").read_text("utf-8")
        self.assertEqual(json.loads(printed), json.loads(stored), "run: v4-oracle taps --json v4oracle/taps.json")


class Traces(InFolder):
    def setUp(self):
        super().setUp()
        self.path = self.folder / "trace.h5"

    def test_a_trace(self):
        with TraceWriter(self.path, "bf16", producer="test") as writer:
            writer.call(0, [5, 6, 7])
            writer.record("hidden", np.full((3, 4), np.nan))
            writer.record("layers.0.ffn.gate.indices", np.zeros((3, 2), np.int32))
            writer.call(3, np.array([8]))
            writer.record("layers.1.attn.compressed_entries", np.zeros((0, 6), np.float32))
            self.assertFalse(self.path.exists())
        self.assertEqual(self.names(), ["trace.h5"])
        with h5py.File(self.path) as file:
            self.assertEqual(file.attrs["precision"], b"bf16")
            self.assertEqual((file.attrs["numerics"], file.attrs["angles"]), (b"exact", b"float32"))
            for name in ("precision", "numerics", "angles", "producer"):
                self.assertFalse(file.attrs.get_id(name).get_type().is_variable_str())
            first, second = file["calls/0000"], file["calls/0001"]
            self.assertEqual((first.attrs["start"], second.attrs["start"]), (0, 3))
            self.assertEqual((first["token_ids"][()].tolist(), first["token_ids"].dtype), ([5, 6, 7], np.int64))
            self.assertTrue(np.isnan(first["hidden"][()]).all())
            self.assertEqual(first["hidden"].dtype, np.float64)
            self.assertEqual(first["layers.0.ffn.gate.indices"].dtype, np.int64)
            self.assertEqual(second["layers.1.attn.compressed_entries"].shape, (0, 6))

    def refused(self, sentence, act):
        with self.assertRaisesRegex(TraceError, sentence), TraceWriter(self.path) as writer:
            writer.call(0, [1, 2])
            writer.record("hidden", np.zeros((2, 4)))
            act(writer)
        self.assertEqual(self.names(), [])

    def test_refusals(self):
        self.refused("no tap", lambda writer: writer.record("layers.0.attn.query", np.zeros((2, 4))))
        self.refused("before", lambda writer: writer.record("hidden", np.zeros((2, 4))))
        self.refused("axes", lambda writer: writer.record("logits", np.zeros((1, 2, 4))))
        self.refused("rows", lambda writer: writer.record("logits", np.zeros((3, 4))))
        self.refused("integers", lambda writer: writer.record("layers.0.ffn.gate.indices", np.zeros((2, 1))))
        self.refused("reals", lambda writer: writer.record("logits", np.zeros((2, 4), np.int64)))
        self.refused("starts", lambda writer: writer.call(3, [1]))
        self.refused("starts", lambda writer: writer.call(-1, [1]))
        self.refused("row of token ids", lambda writer: writer.call(2, []))
        self.refused("row of token ids", lambda writer: writer.call(2, [0.5]))

    def test_a_trace_has_calls(self):
        with self.assertRaisesRegex(TraceError, "at least one call"), TraceWriter(self.path):
            pass
        with self.assertRaisesRegex(TraceError, "no call yet"), TraceWriter(self.path) as writer:
            writer.record("hidden", np.zeros((2, 4)))
        with self.assertRaisesRegex(TraceError, "with statement"):
            TraceWriter(self.path).call(0, [1])
        with self.assertRaisesRegex(TraceError, "precision"):
            TraceWriter(self.path, "fp12")
        self.assertEqual(self.names(), [])

    def test_rejected_speculation_takes_tokens_back(self):
        with TraceWriter(self.path) as writer:
            writer.call(0, [1, 2, 3])
            writer.call(1, [9])
            with self.assertRaises(TraceError):
                writer.call(3, [4])
