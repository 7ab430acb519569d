"""Peaks of memory: each side runs a case once in a fresh process, whose high-water mark Linux keeps.

    python golden/benchmarks/memory.py CASE SIZE THREADS

runs the other side, and prints its peak, that of torch and transformers before anything is made, and that with weights
and inputs before the run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from protocol import Oracle

LONGEST_SECONDS = 600


class PeakError(Exception):
    """A peak cannot be measured; one sentence."""


@dataclass(frozen=True)
class Peak:
    """Bytes resident at most; of the other side also with its libraries alone, and with its weights before a run."""

    case: str
    title: str
    size: int
    ours: int
    theirs: int
    libraries: int
    built: int

    @property
    def share(self) -> float:
        return self.ours / self.theirs


def high_water(process: int | str = "self") -> int:
    """The most bytes that a process had resident, from its VmHWM."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except OSError:
        raise PeakError("this system does not tell the peak of memory of a process") from None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise PeakError(f"process {process} has no peak of memory")


def our_peak(command: list[str], case: str, size: int, threads: int) -> int:
    """Of a fresh process of ours."""
    with Oracle(command, threads) as oracle:
        oracle.measure(case, size, 1)
        return high_water(oracle.process)


def their_peak(case: str, size: int, threads: int) -> tuple[int, int, int]:
    """Of a fresh process of the other side: the peak, and those before the weights were made and before the run."""
    call = [sys.executable, __file__, case, str(size), str(threads)]
    try:
        done = subprocess.run(call, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
            raise PeakError(f"the peak of the other side of {case} was not measured: {lines[-1]}")
        found = json.loads(done.stdout.strip().splitlines()[-1])
        return found["peak"], found["libraries"], found["built"]
    except subprocess.TimeoutExpired:
        raise PeakError(f"the other side of {case} took more than {LONGEST_SECONDS} s") from None
    except (ValueError, IndexError, KeyError):
        raise PeakError(f"the other side of {case} did not print its peak") from None


def main() -> int:
    import transformers
    from peers import use_threads
    from peers_attention import make_peer

    transformers.logging.set_verbosity_error()
    case, size, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    use_threads(threads)
    libraries = high_water()
    peer = make_peer(case, size)
    built = high_water()
    peer.seconds()
    print(json.dumps({"peak": high_water(), "libraries": libraries, "built": built}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
