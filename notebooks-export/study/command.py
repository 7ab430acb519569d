"""The command v4-oracle."""

import functools
import json
import os
import subprocess
from typing import Any

from .paths import ROOT


@functools.cache
def executable() -> str:
    """V4_ORACLE where it is set, else what `swift build -c release` has built."""
    if given := os.environ.get("V4_ORACLE"):
        return given
    command = ["swift", "build", "-c", "release", "--show-bin-path"]
    folder = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    return f"{folder}/v4-oracle"


def oracle(*arguments: str, status: int = 0) -> str:
    """What `v4-oracle ARGUMENTS` prints, run from the repository root.

    Raises RuntimeError where it ends with another status than `status` (1: a check failed; 2: bad input).
    """
    command = [executable(), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != status:
        said = (done.stderr or done.stdout).strip()
        raise RuntimeError(f"v4-oracle {' '.join(command[1:])} ended with {done.returncode}, not {status}: {said}")
    return done.stdout


def oracle_json(*arguments: str, status: int = 0) -> Any:
    """The same, as parsed JSON."""
    return json.loads(oracle(*arguments, status=status))
