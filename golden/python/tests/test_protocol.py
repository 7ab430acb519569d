"""The engine's side of the protocol, spoken to a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
from support import InFolder

from v4oracle import read_tensors
from v4oracle.safetensors_file import safetensors_bytes


class Protocol(InFolder):
    def begin(self, *arguments: str) -> dict:
        command = [sys.executable, str(Path(__file__).with_name("small_engine.py")), *arguments]
        self.engine = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end)
        return self.say({"type": "start", "protocol": 1})

    def end(self) -> None:
        self.engine.kill()
        self.engine.wait()
        for pipe in (self.engine.stdin, self.engine.stdout, self.engine.stderr):
            pipe.close()

    def say(self, message: object) -> dict:
        self.engine.stdin.write(message if isinstance(message, str) else json.dumps(message) + "\n")
        self.engine.stdin.flush()
        return json.loads(self.engine.stdout.readline())

    def run_case(self, identity: str, operation: str = "expand", streams: int = 2) -> dict:
        path = self.folder / f"{identity}.h5"
        with h5py.File(path, "w") as file:
            file.attrs["format_version"], file.attrs["operation"] = 1, np.bytes_(operation)
            file.create_group("parameters").attrs["streams"] = streams
            file["inputs/embedding"] = np.arange(6, dtype=np.float32).reshape(3, 2)
        return self.run_file(identity, path)

    def run_file(self, identity: str, path: Path) -> dict:
        return self.say({"type": "run", "id": identity, "case": "x", "operation": "expand", "file": str(path),
                         "result": str(self.folder / f"{identity}-result{path.suffix}"), "more": 1})

    def test_a_whole_conversation(self):
        started = self.begin()
        self.assertEqual(started, {"type": "started", "protocol": 1, "engine": {"name": "small", "version": "1"},
                                   "precision": "fp64", "format": "hdf5", "operations": ["expand", "sinkhorn"],
                                   "replays": False})
        result = self.run_case("7")
        self.assertEqual(result, {"type": "result", "id": "7", "file": str(self.folder / "7-result.h5")})
        streams = read_tensors(result["file"])["streams"]
        self.assertEqual(streams.tolist(), [[[0, 1]] * 2, [[2, 3]] * 2, [[4, 5]] * 2])
        self.assertEqual(self.run_case("8", "sinkhorn"), {"type": "unsupported", "id": "8", "reason": "no iterations"})
        self.assertEqual(self.run_case("9", "site")["type"], "unsupported")
        self.assertEqual(self.run_case("10", streams=0),
                         {"type": "error", "id": "10", "error": "ValueError: streams: there are none"})
        self.assertEqual([name for name in self.names() if "result" in name], ["7-result.h5"])
        self.assertEqual(self.say({"type": "stop"}), {"type": "stopped"})
        self.assertEqual(self.engine.wait(10), 0)
        self.assertEqual(self.engine.stdout.read(), "")
        self.assertIn("in C", self.engine.stderr.read())

    def test_bad_messages_are_errors_and_do_not_end_it(self):
        self.begin()
        self.assertEqual(self.say({"type": "dance", "id": "3"})["type"], "error")
        self.assertEqual(self.say({"type": "dance", "id": "3"})["id"], "3")
        for message in ("no json\n", "[1]\n", "{}\n", '{"type": "run", "id": "4"}\n'):
            self.assertEqual(self.say(message)["type"], "error", message)
        self.assertNotIn("id", self.say("{}\n"))
        self.assertEqual(self.say({"type": "start", "protocol": 2})["type"], "error")
        (self.folder / "noise.h5").write_bytes(b"noise")
        for name in ("noise.h5", "absent.h5"):
            self.assertEqual(self.run_file("5", self.folder / name)["type"], "error")
        self.assertEqual(self.names(), ["noise.h5"])
        self.assertEqual(self.run_case("6")["type"], "result")

    def test_the_end_of_the_input_ends_it(self):
        self.begin()
        self.engine.stdin.close()
        self.assertEqual(self.engine.wait(10), 0)

    def test_safetensors(self):
        self.assertEqual(self.begin("safetensors")["format"], "safetensors")
        path = self.folder / "1.safetensors"
        path.write_bytes(safetensors_bytes(
            {"inputs/embedding": np.ones((1, 2), np.float32)},
            {"format_version": "1", "operation": "expand", "parameters/streams": "3"}))
        result = self.run_file("1", path)
        self.assertEqual(read_tensors(result["file"])["streams"].shape, (1, 3, 2))
