"""The engine's side of docs/engine-protocol.md: JSON lines on standard input and output."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from .cases import Case, read_handed
from .tensors import write_tensors

PROTOCOL = 1


class Unsupported(Exception):
    """What the engine has no such thing for; the text is the reason."""


class Engine:
    """What `serve` needs of an engine. Derive from it, set the members and write `run`."""

    name: str = ""
    version: str = ""
    precision: str = "fp32"
    """fp64, fp32, tf32, bf16 or fp8-fp4."""
    operations: Sequence[str] = ()
    """By the names of golden/FORMAT.md."""
    format: str = "hdf5"
    """How cases and results are stored, or safetensors."""
    details: Mapping[str, str] = {}
    """More of the engine for reports: runtime, device."""

    def run(self, case: Case) -> Mapping[str, Any]:
        """The expected tensors by name. Raises `Unsupported`, or anything else where it refuses the input."""
        raise NotImplementedError


def serve(engine: Engine, source: TextIO | None = None, sink: TextIO | None = None) -> None:
    """Answers messages until `stop` or the end of the input.

    Without a sink, the process's standard output is kept for messages, and all else that is printed, by libraries in
    C as well, goes to standard error.
    """
    with contextlib.nullcontext(sink) if sink is not None else kept_output() as output:
        for line in source or sys.stdin:
            reply = answer(engine, line)
            output.write(json.dumps(reply) + "\n")
            output.flush()
            if reply["type"] == "stopped":
                return


@contextlib.contextmanager
def kept_output() -> Iterator[TextIO]:
    """Standard output for messages alone; meanwhile file descriptor 1 is standard error."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(os.dup(kept), "w", encoding="utf-8") as output, contextlib.redirect_stdout(sys.stderr):
            yield output
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def answer(engine: Engine, line: str) -> dict[str, Any]:
    """The answer to one line. An error never ends the engine."""
    message: Any = None
    try:
        message = json.loads(line)
        if not isinstance(message, dict):
            raise ValueError("a message is a JSON object")
        kind = message.get("type")
        if kind == "start":
            return started(engine, message)
        if kind == "run":
            return run(engine, message)
        if kind == "stop":
            return {"type": "stopped"}
        raise ValueError(f"there is no message of type {kind}")
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        identity = {"id": message["id"]} if isinstance(message, dict) and "id" in message else {}
        return {"type": "error", **identity, "error": sentence(error)}


def sentence(error: BaseException) -> str:
    """What an exception says on one line, with its kind where that is not in the text."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def started(engine: Engine, message: dict[str, Any]) -> dict[str, Any]:
    if message.get("protocol") != PROTOCOL:
        raise ValueError(f"this engine speaks protocol {PROTOCOL}, not {message.get('protocol')}")
    return {"type": "started", "protocol": PROTOCOL,
            "engine": {"name": engine.name, "version": engine.version, **engine.details},
            "precision": engine.precision, "format": engine.format, "operations": list(engine.operations),
            "replays": False}


def run(engine: Engine, message: dict[str, Any]) -> dict[str, Any]:
    """Reads the case, lets the engine run it, writes the result where it has to be."""
    for name in ("id", "file", "result"):
        if not isinstance(message.get(name), str):
            raise ValueError(f"a run needs the text {name}")
    try:
        case = read_handed(message["file"], engine.format)
        if case.operation not in engine.operations:
            raise Unsupported(f"no operation {case.operation}")
        result = engine.run(case)
    except Unsupported as reason:
        return {"type": "unsupported", "id": message["id"], "reason": str(reason)}
    write_tensors(message["result"], result, format=engine.format)
    return {"type": "result", "id": message["id"], "file": message["result"]}
