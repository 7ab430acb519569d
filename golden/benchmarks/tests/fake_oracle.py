"""Stands in for `v4-oracle bench --serve`: the same protocol, made-up times, and faults on demand.

The variable FAKE says how it misbehaves: a word of the ones below, or nothing.
"""

import json
import os
import sys

FAULT = os.environ.get("FAKE", "")
CASES = {"sinkhorn": [8192], "router": [1, 128, 512], "experts": [512], "csa-layer": [512], "csa-decode": [1]}
POSITIONS = [250_000, 500_000, 1_000_000]
LIMITS = {"fmaPerSecondOne": 1e11, "fmaPerSecondAll": 2e11, "copyBytesPerSecondOne": 1e10,
          "copyBytesPerSecondAll": 2e10, "streamedCopyBytesPerSecondAll": 3e10}  # fmt: skip


def say(value) -> None:
    print(value if isinstance(value, str) else json.dumps(value), flush=True)


def first_line(threads: int) -> None:
    if FAULT == "dies":
        print("out of luck", file=sys.stderr, flush=True)
        sys.exit(3)
    if FAULT == "no-json":
        say("hello")
    cases = [{"id": name, "tokens": tokens} | ({"positions": POSITIONS} if name == "csa-decode" else {})
             for name, tokens in CASES.items()]
    ready = {"ready": True, "version": "0.0.1", "instructionSet": "avx512", "threads": threads, "cases": cases}
    say(ready | ({"threads": threads + 1} if FAULT == "threads" else {}))


def answer(request: dict) -> dict:
    if request["case"] == "limits":
        return LIMITS
    if FAULT == "refuses" or request["tokens"] not in CASES.get(request["case"], ()):
        return {"error": "no such case"}
    seconds = [0.001 * (request.get("position") or 1000) / 1000] * request["repeats"]
    reply = {"case": request["case"], "tokens": request["tokens"], "seconds": seconds, "flops": 1e8, "bytes": 1e6,
             "bound": "compute", "peakResidentBytes": 10**8}
    changed = {"nan": {"seconds": [float("nan")] * request["repeats"]}, "short": {"seconds": []},
               "other": {"case": "sinkhorn"}, "bound": {"bound": "luck"}, "zero": {"seconds": [0.0]},
               "flops": {"flops": None}}  # fmt: skip
    return reply | changed.get(FAULT, {})


def main() -> None:
    first_line(int(sys.argv[sys.argv.index("--threads") + 1]))
    for line in sys.stdin:
        if FAULT == "leaves":
            sys.exit(0)
        if FAULT == "silent":
            continue
        say(answer(json.loads(line)))
    if FAULT == "stays":
        while True:
            pass


main()
