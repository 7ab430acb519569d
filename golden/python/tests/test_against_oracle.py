"""A model of transformers in float64 against v4-oracle: every tap that the hooks record, at prefill and decode."""

import re
import subprocess
import sys

import h5py
import numpy as np
from support import GOLDEN, InFolder, needs, oracle

LEFT_OUT = {"attn.indexer.queries_transformed", "attn.indexer.queries", "attn.indexer.keys_transformed",
            "attn.indexer.keys", "attn.indexer.weights", "ffn.experts.activation", "ffn.experts.output"}
TOKENS, PREFILL = ",".join(map(str, range(1, 27))), "14"


@needs("torch", "transformers", "safetensors")
class AgainstOracle(InFolder):
    def run_command(self, *arguments: object) -> None:
        done = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])

    def test_every_tap(self):
        command = oracle()
        if command is None:
            print("skipped: traces against v4-oracle, which is not built", file=sys.stderr)
            self.skipTest("v4-oracle is not built")
        checkpoint, ours, theirs = (self.folder / name for name in ("checkpoint", "ours.h5", "theirs.h5"))
        self.run_command(command, "checkpoint", "synthesize", "--preset", "tiny-pro", "--format", "float32", "--seed",
                         1, "--out", checkpoint)
        self.run_command(command, "trace", "--checkpoint", checkpoint, "--text-ids", TOKENS, "--prefill", PREFILL,
                         "--precision", "double", "--angles", "exact", "--out", ours)
        self.run_command(sys.executable, GOLDEN / "engines" / "trace_transformers.py", "--checkpoint", checkpoint,
                         "--tokens", TOKENS, "--prefill", PREFILL, "--precision", "fp64", "--out", theirs)
        with h5py.File(ours) as expected, h5py.File(theirs) as got:
            self.assertEqual(list(expected["calls"]), list(got["calls"]))
            for call in expected["calls"]:
                self.compare(call, expected["calls"][call], got["calls"][call])

    def compare(self, call: str, expected: h5py.Group, got: h5py.Group) -> None:
        self.assertEqual(expected.attrs["start"], got.attrs["start"])
        names = {name for name in expected if not name.startswith("mtp.")}
        missing = {re.sub(r"^layers[.][0-9]+[.]", "", name) for name in names - set(got)}
        self.assertEqual((missing, set(got) - names), (LEFT_OUT, set()))
        for name in got:
            truth, value = expected[name][()], got[name][()]
            self.assertEqual((truth.shape, truth.dtype), (value.shape, value.dtype), f"{call}/{name}")
            np.testing.assert_allclose(value, truth, rtol=0, atol=1e-10, err_msg=f"{call}/{name}")
