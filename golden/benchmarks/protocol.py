"""Talks to `v4-oracle bench --serve`: one JSON object per line in and out; its answers are not believed unseen."""

from __future__ import annotations

import contextlib
import json
import math
import queue
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from typing import Any

READY_SECONDS, ANSWER_SECONDS, ENDING_SECONDS = 60.0, 600.0, 5.0
LONGEST_LINE = 1 << 20
LIMIT_RUNS = 3  # of which the best one counts
LIMITS = ("fmaPerSecondOne", "fmaPerSecondAll", "copyBytesPerSecondOne", "copyBytesPerSecondAll",
          "streamedCopyBytesPerSecondAll")  # fmt: skip
BOUNDS = ("compute", "memory")


class OracleError(Exception):
    """The process does not do what it has to; one sentence."""


class Refusal(OracleError):
    """The process answers that it cannot measure a case, and goes on."""


@dataclass(frozen=True)
class Ready:
    """What the process says of itself. `positions` are those of the decoded token that it can be asked for."""

    version: str
    instruction_set: str
    threads: int
    sizes: dict[str, tuple[int, ...]]
    positions: tuple[int, ...]


@dataclass(frozen=True)
class Answer:
    """Times of our side, and the work of one run."""

    seconds: list[float]
    flops: float
    bytes: float
    bound: str
    peak_resident_bytes: int


class Oracle:
    """A running `v4-oracle bench --serve`. Use as a context: it ends with it."""

    def __init__(self, command: list[str], threads: int, ready_seconds: float = READY_SECONDS,
                 answer_seconds: float = ANSWER_SECONDS) -> None:
        self.answer_seconds = answer_seconds
        self._errors = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen([*command, "bench", "--serve", "--threads", str(threads)],
                                             encoding="utf-8", errors="replace", stdin=subprocess.PIPE,
                                             stdout=subprocess.PIPE, stderr=self._errors)
        except OSError as error:
            self._errors.close()
            raise OracleError(f"{command[0]} cannot be started: {error.strerror}") from None
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.ready = parse_ready(self._object(ready_seconds), threads)
        except OracleError:
            self.close()
            raise

    @property
    def process(self) -> int:
        """Its process id."""
        return self._process.pid

    def measure(self, case: str, size: int, repeats: int, position: int | None = None) -> Answer:
        """Times `repeats` runs of a case. Raises OracleError for an error, silence, or an answer to something else."""
        request: dict[str, Any] = {"case": case, "tokens": size, "repeats": repeats}
        if position is not None:
            request["position"] = position
        return parse_answer(self._ask(request), request)

    def limits(self) -> dict[str, float]:
        """The machine's right now: floating-point operations and copied bytes per second, on one and all threads."""
        answer = self._ask({"case": "limits", "repeats": LIMIT_RUNS})
        return {name: positive(answer, name) for name in LIMITS}

    def close(self) -> None:
        """Ends the process, by the end of its input, else at once."""
        assert self._process.stdin and self._process.stdout
        with contextlib.suppress(OSError):  # a pipe that nobody reads any more
            self._process.stdin.close()
        try:
            self._process.wait(timeout=ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()
        self._errors.close()

    def __enter__(self) -> Oracle:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        """Hands lines on, an empty one at the end."""
        assert self._process.stdout
        while line := self._process.stdout.readline(LONGEST_LINE):
            self._lines.put(line)
        self._lines.put("")

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise OracleError(f"v4-oracle has ended before {request['case']}{self._last_words()}") from None
        answer = self._object(self.answer_seconds)
        if "error" in answer:
            raise Refusal(f"v4-oracle cannot measure {request['case']}: {answer['error']}")
        return answer

    def _object(self, seconds: float) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise OracleError(f"v4-oracle is silent for {seconds:g} s") from None
        if not line:
            raise OracleError(f"v4-oracle has ended{self._last_words()}")
        try:
            value = json.loads(line)
        except ValueError:
            raise OracleError(f"v4-oracle wrote a line that is not JSON: {line.strip()[:80]!r}") from None
        if not isinstance(value, dict):
            raise OracleError(f"v4-oracle wrote a line that is not an object: {line.strip()[:80]!r}")
        return value

    def _last_words(self) -> str:
        """The last line of its standard error."""
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""


def positive(answer: dict[str, Any], name: str, least: float = math.ulp(0.0)) -> float:
    """A finite number of an answer, of at least `least`."""
    value = answer.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value < math.inf:
        raise OracleError(f"v4-oracle gives {value!r} for {name}, which is no number of the kind asked for")
    return float(value)


def parse_ready(line: dict[str, Any], threads: int) -> Ready:
    """The first line. Raises OracleError where it is not ready, has other threads, or offers nothing."""
    if line.get("ready") is not True:
        raise OracleError(f"v4-oracle is not ready: {line.get('error', 'its first line says nothing of it')}")
    if line.get("threads") != threads:
        raise OracleError(f"v4-oracle runs on {line.get('threads')!r} threads, not on {threads}")
    try:
        sizes = {str(case["id"]): tuple(int(size) for size in case["tokens"]) for case in line["cases"]}
        decode = [case for case in line["cases"] if case["id"] == "csa-decode"]
        positions = tuple(int(position) for case in decode for position in case.get("positions", ()))
        version, instruction_set = str(line["version"]), str(line["instructionSet"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise OracleError("the first line of v4-oracle lacks a version, an instruction set or cases") from None
    if not sizes:
        raise OracleError("v4-oracle offers no case")
    return Ready(version, instruction_set, threads, sizes, positions)


def parse_answer(answer: dict[str, Any], request: dict[str, Any]) -> Answer:
    """An answer to `request`. Raises OracleError where it answers another one or is incomplete."""
    if any(answer.get(key) != request[key] for key in ("case", "tokens")):
        what = f"{answer.get('case')} at {answer.get('tokens')}"
        raise OracleError(f"v4-oracle answers {what} when asked for {request['case']} at {request['tokens']}")
    seconds = answer.get("seconds")
    if not isinstance(seconds, list) or len(seconds) != request["repeats"]:
        raise OracleError(f"v4-oracle gives {seconds!r} for {request['repeats']} repeats of {request['case']}")
    times = [positive({"seconds": value}, "seconds") for value in seconds]
    if answer.get("bound") not in BOUNDS:
        raise OracleError(f"v4-oracle says that {request['case']} is bound by {answer.get('bound')!r}")
    return Answer(times, positive(answer, "flops", 0.0), positive(answer, "bytes", 0.0), answer["bound"],
                  int(positive(answer, "peakResidentBytes", 0.0)))
